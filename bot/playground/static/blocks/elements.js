// Interactive elements: buttons, menus, pickers and inputs. A context holds the state of each.

import { confirmed } from "./confirm.js";
import { currentZone, fromWall, toWall } from "../text/dates.js";
import { avatar, h, icon, picture, safeUrl } from "../dom.js";
import { openMenu } from "./menu.js";
import { channelLabel, complain, isDirect, store } from "../state/store.js";
import { textNode, textOf } from "../text/text.js";
import { visible } from "../text/visible.js";

const keyOf = (element, block) => `${block.block_id}/${element.action_id}`;
const hooks = (element, block) => ({ "data-action-id": element.action_id, "data-block-id": block.block_id });

/** Make a button busy until the app has acknowledged its click, even if the message is redrawn meanwhile. */
function clickable(node, element, block, context, run) {
  const key = keyOf(element, block);
  const busy = (value) => {
    // `disabled` is not used because it would take the keyboard focus away.
    node.setAttribute("aria-disabled", String(value));
    node.setAttribute("aria-busy", String(value));
  };
  if (context.pending.has(key)) busy(true);
  node.addEventListener("click", async () => {
    if (context.pending.has(key)) return;
    if (element.confirm && !(await confirmed(element.confirm))) return;
    context.pending.add(key);
    busy(true);
    try {
      await run();
    } catch (error) {
      complain(error);
    } finally {
      context.pending.delete(key);
      context.settled(key);
      busy(false);
    }
  });
  return node;
}

/** Open an address as a link with it does: one of the playground itself within the page. */
function follow(url) {
  const anchor = h("a", { href: url, target: "_blank", rel: "noopener noreferrer", hidden: true });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
}

function button(element, block, context) {
  const style = ["primary", "danger"].includes(element.style) ? element.style : "";
  const node = h(
    "button",
    { type: "button", class: `button ${style}`, "aria-label": element.accessibility_label, ...hooks(element, block) },
    h("span", {}, textOf(element.text)),
  );
  return clickable(node, element, block, context, () => {
    const url = element.url && safeUrl(element.url);
    if (url) follow(url);
    return context.act(element, block, { value: element.value });
  });
}

const optionItems = (element) => [
  ...(element.options || []).map((option) => optionItem(option)),
  ...(element.option_groups || []).flatMap((group) =>
    group.options.map((option) => optionItem(option, textOf(group.label))),
  ),
];
const optionItem = (option, group) => ({
  label: textOf(option.text),
  value: option.value,
  description: textOf(option.description),
  option,
  group,
});
const peopleItems = () =>
  store.people.map((user) => ({
    label: user.real_name,
    description: `@${user.name}`,
    value: user.id,
    lead: avatar(user, 24),
  }));
const channelItems = (type) => () =>
  store.channels
    .filter((row) => type !== "channels" || !isDirect(row))
    .map((row) => ({ label: channelLabel(row), value: row.id, description: row.purpose }));

// Field of the state, field of the initial value, and items; option menus store whole options, others ids.
const MENUS = {
  static_select: ["selected_option", "initial_option", optionItems],
  external_select: ["selected_option", "initial_option", null],
  users_select: ["selected_user", "initial_user", peopleItems],
  conversations_select: ["selected_conversation", "initial_conversation", channelItems("all")],
  channels_select: ["selected_channel", "initial_channel", channelItems("channels")],
  multi_static_select: ["selected_options", "initial_options", optionItems],
  multi_external_select: ["selected_options", "initial_options", null],
  multi_users_select: ["selected_users", "initial_users", peopleItems],
  multi_conversations_select: ["selected_conversations", "initial_conversations", channelItems("all")],
  multi_channels_select: ["selected_channels", "initial_channels", channelItems("channels")],
};

/** Return the current value of an element: the one chosen, or else the initial one. */
function held(element, block, context, field, initial) {
  const state = context.get(block.block_id, element.action_id);
  return state ? state[field] : element[initial];
}

function changed(element, block, context, field, value) {
  context.set(block.block_id, element.action_id, { type: element.type, [field]: value });
  if (block.type === "input" && !block.dispatch_action) return;
  const send = async () => {
    if (element.confirm && !(await confirmed(element.confirm))) return;
    await context.act(element, block, { [field]: value });
  };
  send().catch(complain);
}

function menu(element, block, context) {
  const [field, initial, source] = MENUS[element.type];
  const many = element.type.startsWith("multi_");
  const byOption = field.startsWith("selected_option");
  const initialValue =
    element.default_to_current_conversation && !element[initial]
      ? many
        ? [store.place.channel]
        : store.place.channel
      : element[initial];
  let value = context.get(block.block_id, element.action_id)?.[field] ?? initialValue ?? (many ? [] : null);
  const words = h("span", { class: "select-text" });
  const node = h(
    "button",
    { type: "button", class: "select", "aria-haspopup": "listbox", "aria-expanded": "false", ...hooks(element, block) },
    words,
    icon("down", 14),
  );
  const idOf = (entry) => (byOption ? entry.value : entry);
  const nameOf = (entry) =>
    byOption ? textOf(entry.text) : source(element).find((item) => item.value === entry)?.label || entry;
  const draw = () => {
    const chosen = (many ? value : [value]).filter(Boolean).map(nameOf);
    words.textContent = visible(
      chosen.join(", ") || textOf(element.placeholder) || (many ? "Choose options" : "Choose an option"),
    );
    words.classList.toggle("placeholder", !chosen.length);
    node.dataset.value = (many ? value : [value]).filter(Boolean).map(idOf).join(",");
  };
  const pick = (item) => {
    const entry = byOption ? item.option : item.value;
    if (many) {
      const without = value.filter((other) => idOf(other) !== item.value);
      const most = element.max_selected_items || Infinity;
      value = without.length < value.length ? without : [...value, entry].slice(-most);
    } else value = entry;
    draw();
    changed(element, block, context, field, value);
  };
  node.addEventListener("click", () => {
    const chosen = new Set((many ? value : [value]).filter(Boolean).map(idOf));
    const mark = (items) => items.map((item) => ({ ...item, checked: chosen.has(item.value) }));
    const load = source
      ? null
      : async (query) => mark(optionItems(await context.suggest(element, block, query).catch(() => ({}))));
    openMenu(node, {
      items: source ? mark(source(element)) : [],
      load,
      pick,
      many,
      label: textOf(element.placeholder) || "Options",
    });
  });
  draw();
  return node;
}

function overflow(element, block, context) {
  const node = h(
    "button",
    {
      type: "button",
      class: "button overflow",
      "aria-label": "More options",
      "aria-haspopup": "menu",
      ...hooks(element, block),
    },
    icon("more"),
  );
  node.addEventListener("click", () => {
    const pick = async ({ option }) => {
      if (element.confirm && !(await confirmed(element.confirm))) return;
      if (option.url && safeUrl(option.url)) follow(safeUrl(option.url));
      context.act(element, block, { selected_option: option }).catch(complain);
    };
    openMenu(node, { items: optionItems(element), pick, filter: false, role: "menu", label: "More options" });
  });
  return node;
}

function choices(element, block, context) {
  const radio = element.type === "radio_buttons";
  const field = radio ? "selected_option" : "selected_options";
  const now = held(element, block, context, field, radio ? "initial_option" : "initial_options");
  const chosen = new Set((radio ? [now] : now || []).filter(Boolean).map((option) => option.value));
  const name = `${context.key}/${keyOf(element, block)}`;
  const rows = element.options.map((option) => {
    const input = h("input", {
      type: radio ? "radio" : "checkbox",
      name,
      value: option.value,
      checked: chosen.has(option.value),
      "data-option": option.value,
      ...hooks(element, block),
    });
    input.addEventListener("change", () => {
      if (radio) return changed(element, block, context, field, option);
      if (input.checked) chosen.add(option.value);
      else chosen.delete(option.value);
      return changed(
        element,
        block,
        context,
        field,
        element.options.filter((row) => chosen.has(row.value)),
      );
    });
    return h(
      "label",
      { class: "choice" },
      input,
      h(
        "span",
        {},
        textNode(option.text, "span"),
        option.description && textNode(option.description, "span", "choice-note"),
      ),
    );
  });
  return h("div", { class: "choices", role: radio ? "radiogroup" : "group" }, rows);
}

const PICKERS = {
  datepicker: ["date", "selected_date", "initial_date", (v) => v || null, (v) => v],
  timepicker: ["time", "selected_time", "initial_time", (v) => v || null, (v) => v],
  datetimepicker: [
    "datetime-local",
    "selected_date_time",
    "initial_date_time",
    (v) => (v ? fromWall(v) : null),
    (v) => v && toWall(v),
  ],
};

const WORDS = { date: "Date", time: "Time", "datetime-local": "Date and time" };

function picker(element, block, context) {
  const [type, field, initial, read, write] = PICKERS[element.type];
  const now = held(element, block, context, field, initial);
  const node = h("input", {
    type,
    class: "field picker",
    value: write(now) || "",
    title: type === "datetime-local" ? currentZone() : null,
    "aria-label": textOf(element.placeholder) || WORDS[type],
    ...hooks(element, block),
  });
  node.addEventListener("change", () => changed(element, block, context, field, read(node.value)));
  return node;
}

const KINDS = { number_input: "text", email_text_input: "email", url_text_input: "url" };

function textInput(element, block, context) {
  const now = held(element, block, context, "value", "initial_value") ?? "";
  const limits = {
    maxlength: element.max_length,
    placeholder: textOf(element.placeholder) || null,
    autocomplete: "off",
  };
  const decimal = element.is_decimal_allowed ? "decimal" : "numeric";
  const node = element.multiline
    ? h("textarea", { class: "field", rows: 4, value: now, ...limits, ...hooks(element, block) })
    : h("input", {
        type: KINDS[element.type] || "text",
        inputmode: element.type === "number_input" ? decimal : null,
        class: "field",
        value: now,
        ...limits,
        ...hooks(element, block),
      });
  const put = () => context.set(block.block_id, element.action_id, { type: element.type, value: node.value || null });
  const sends = (trigger) =>
    block.dispatch_action &&
    (element.dispatch_action_config?.trigger_actions_on || ["on_enter_pressed"]).includes(trigger);
  node.addEventListener("input", () => {
    put();
    if (sends("on_character_entered")) context.act(element, block, { value: node.value }).catch(complain);
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || element.multiline || !sends("on_enter_pressed")) return;
    event.preventDefault();
    event.stopPropagation();
    context.act(element, block, { value: node.value }).catch(complain);
  });
  return node;
}

function richInput(element, block, context) {
  const node = h("textarea", {
    class: "field",
    rows: 4,
    placeholder: textOf(element.placeholder) || null,
    ...hooks(element, block),
  });
  node.addEventListener("input", () => {
    const section = { type: "rich_text_section", elements: [{ type: "text", text: node.value }] };
    context.set(block.block_id, element.action_id, {
      type: element.type,
      rich_text_value: node.value ? { type: "rich_text", elements: [section] } : null,
    });
  });
  return node;
}

function feedback(element, block, context) {
  const one = (part, mark) => {
    const node = h(
      "button",
      {
        type: "button",
        class: "button small",
        "aria-label": part.accessibility_label || textOf(part.text),
        title: textOf(part.text),
        ...hooks(element, block),
      },
      mark,
    );
    return clickable(node, { ...element, confirm: null }, block, context, () =>
      context.act(element, block, { value: part.value }),
    );
  };
  return h("span", { class: "feedback" }, one(element.positive_button, "👍"), one(element.negative_button, "👎"));
}

function iconAction(element, block, context) {
  const node = h(
    "button",
    {
      type: "button",
      class: "icon-button",
      "aria-label": element.accessibility_label || textOf(element.text),
      title: textOf(element.text),
      ...hooks(element, block),
    },
    icon("trash"),
  );
  return clickable(node, element, block, context, () => context.act(element, block, { value: element.value }));
}

const BUILDERS = {
  button,
  workflow_button: button,
  overflow,
  radio_buttons: choices,
  checkboxes: choices,
  feedback_buttons: feedback,
  icon_button: iconAction,
  plain_text_input: textInput,
  number_input: textInput,
  email_text_input: textInput,
  url_text_input: textInput,
  rich_text_input: richInput,
  image: (element) =>
    picture(element.image_url || element.slack_file?.url, element.alt_text, { class: "accessory-image" }),
  ...Object.fromEntries(Object.keys(MENUS).map((type) => [type, menu])),
  ...Object.fromEntries(Object.keys(PICKERS).map((type) => [type, picker])),
};

export function element(element, block, context) {
  const build = BUILDERS[element?.type];
  return build
    ? build(element, block, context)
    : h("span", { class: "unsupported" }, `unsupported element: ${element?.type}`);
}
