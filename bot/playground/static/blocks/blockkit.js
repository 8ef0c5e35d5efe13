// Block Kit: one function for each kind of block, which returns a DOM node.

import { h, icon, link, picture, shownText } from "../dom.js";
import { element } from "./elements.js";
import { markdown } from "../text/markdown.js";
import { richText } from "../text/richtext.js";
import { textNode, textOf } from "../text/text.js";
import { visible } from "../text/visible.js";

let labels = 0;

function section(block, context) {
  const fields =
    block.fields &&
    h(
      "div",
      { class: "fields" },
      block.fields.map((field) => textNode(field)),
    );
  const body = h("div", { class: "section-body" }, block.text && textNode(block.text), fields);
  return h(
    "div",
    { class: "section" },
    body,
    block.accessory && h("div", { class: "accessory" }, element(block.accessory, block, context)),
  );
}

function header(block) {
  const level = Math.min((block.level || 1) + 2, 6);
  return h(`h${level}`, { class: `header level-${block.level || 1}` }, textOf(block.text));
}

function contextBlock(block) {
  const part = (item) =>
    item.type === "image"
      ? picture(item.image_url || item.slack_file?.url, item.alt_text, { class: "context-image" })
      : textNode(item, "span", "context-text");
  return h("div", { class: "context" }, block.elements.map(part));
}

const actions = (block, context) =>
  h(
    "div",
    { class: "actions" },
    block.elements.map((item) => element(item, block, context)),
  );

function image(block) {
  return h(
    "figure",
    { class: "image" },
    block.title && h("figcaption", {}, textOf(block.title)),
    picture(block.image_url || block.slack_file?.url, block.alt_text),
  );
}

function input(block, context) {
  labels += 1;
  const id = `input-${labels}`;
  const control = element(block.element, block, context);
  const grouped = ["radio_buttons", "checkboxes"].includes(block.element.type);
  const words = [textOf(block.label), block.optional && h("span", { class: "optional" }, " (optional)")];
  const label = grouped
    ? h("div", { class: "label", id: `${id}-label` }, words)
    : h("label", { class: "label", id: `${id}-label`, for: id }, words);
  const about = [];
  const hint = block.hint && h("div", { class: "hint", id: `${id}-hint` }, textOf(block.hint));
  if (hint) about.push(`${id}-hint`);
  control.id = id;
  if (grouped || control.tagName === "BUTTON")
    control.setAttribute("aria-labelledby", `${id}-label${grouped ? "" : ` ${id}`}`);
  if (!block.optional && !grouped && control.tagName !== "BUTTON") control.setAttribute("aria-required", "true");
  const error = h("div", { class: "input-error", id: `${id}-error`, role: "alert", hidden: true });
  control.setAttribute("aria-describedby", [...about, `${id}-error`].join(" "));
  return h("div", { class: "input", "data-input": block.block_id }, label, control, error, hint);
}

function cell(part) {
  if (part.type === "rich_text") return richText(part);
  return shownText(part.text ?? part.value ?? "");
}

function table(block) {
  const setting = (at) => block.column_settings?.[at] || {};
  const row = (cells, tag) =>
    h(
      "tr",
      {},
      cells.map((part, at) =>
        h(
          tag,
          { class: `align-${setting(at).align || "left"}${setting(at).is_wrapped ? " wrapped" : ""}` },
          cell(part),
        ),
      ),
    );
  const [head, ...rest] = block.rows;
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "Table" },
    h(
      "table",
      {},
      h("thead", {}, row(head, "th")),
      h(
        "tbody",
        {},
        rest.map((cells) => row(cells, "td")),
      ),
    ),
  );
}

const alert = (block) =>
  h(
    "div",
    { class: `alert ${["info", "warning", "error", "success"].includes(block.level) ? block.level : ""}` },
    textNode(block.text),
  );

const MARKS = { pending: "○", in_progress: "◔", complete: "✓", error: "!" };

function task(block) {
  const status = MARKS[block.status] ? block.status : "pending";
  const sources = (block.sources || []).map((source) => link(source.url, source.text));
  const more = [
    block.details && richText(block.details),
    block.output && richText(block.output),
    sources.length ? h("div", { class: "sources" }, sources) : null,
  ].filter(Boolean);
  const line = [
    h("span", { class: `task-mark ${status}`, role: "img", "aria-label": status.replace("_", " ") }, MARKS[status]),
    h("span", { class: "task-title" }, textOf(block.title)),
  ];
  if (!more.length) return h("div", { class: "task" }, h("div", { class: "task-line" }, line));
  return h(
    "details",
    { class: "task", open: true },
    h("summary", { class: "task-line" }, line),
    h("div", { class: "task-more" }, more),
  );
}

function plan(block) {
  return h(
    "div",
    { class: "plan" },
    h("div", { class: "plan-title" }, textOf(block.title)),
    (block.tasks || []).map(task),
  );
}

function card(block, context) {
  return h(
    "div",
    { class: "card" },
    block.hero_image && picture(block.hero_image.image_url, block.hero_image.alt_text, { class: "card-hero" }),
    h(
      "div",
      { class: "card-head" },
      block.icon && picture(block.icon.image_url, block.icon.alt_text, { class: "card-icon" }),
      h(
        "div",
        {},
        block.title && textNode(block.title, "div", "card-title"),
        block.subtitle && textNode(block.subtitle, "div", "card-subtitle"),
      ),
    ),
    block.body && textNode(block.body),
    block.actions &&
      h(
        "div",
        { class: "actions" },
        block.actions.map((item) => element(item, block, context)),
      ),
  );
}

const BLOCKS = {
  section,
  header,
  context: contextBlock,
  actions,
  image,
  input,
  table,
  alert,
  plan,
  card,
  task_card: task,
  context_actions: actions,
  divider: () => h("hr", { class: "divider" }),
  rich_text: richText,
  markdown: (block) => markdown(block.text),
  carousel: (block, context) =>
    h(
      "div",
      { class: "carousel" },
      block.elements.map((item) => card(item, context)),
    ),
};

/** Return the nodes of all blocks; a block that cannot be drawn shows an error in its place. */
export function blockKit(blocks, context) {
  return h(
    "div",
    { class: "blocks" },
    blocks.map((block) => {
      const build = BLOCKS[block?.type];
      if (!build) return unsupported(block?.type);
      try {
        const node = build(block, context);
        node.dataset.block = block.type;
        return node;
      } catch (error) {
        console.error(error);
        return unsupported(block.type);
      }
    }),
  );
}

const unsupported = (type) => h("div", { class: "unsupported" }, icon("file", 14), ` unsupported block: ${type}`);

export function clearError(box) {
  if (!box?.classList.contains("wrong")) return;
  box.classList.remove("wrong");
  box.querySelector(".input-error").hidden = true;
  box.querySelector("[data-action-id]")?.setAttribute("aria-invalid", "false");
}

/** Show the error of each input below it, and move the focus to the first such input. */
export function showErrors(root, errors) {
  let first = null;
  for (const box of root.querySelectorAll("[data-input]")) {
    const text = errors[box.dataset.input];
    const line = box.querySelector(".input-error");
    line.textContent = visible(text || "");
    line.hidden = !text;
    box.classList.toggle("wrong", Boolean(text));
    const control = box.querySelector("[data-action-id]");
    control?.setAttribute("aria-invalid", String(Boolean(text)));
    if (text) first ||= control;
  }
  first?.closest("[data-input]").scrollIntoView({ block: "center" });
  first?.focus({ preventScroll: true });
  return Boolean(first);
}
