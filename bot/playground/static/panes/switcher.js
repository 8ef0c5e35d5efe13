// The switcher (Ctrl/Cmd+K), which jumps to a channel or changes the acting person.

import { avatar, h } from "../dom.js";
import { channelLead } from "./lead.js";
import { switchTo } from "./sidebar.js";
import { channelLabel, go, isApp, store } from "../state/store.js";

export function openSwitcher() {
  if (document.querySelector("dialog[open]") || !store.me) return;
  const list = h("div", {
    class: "menu-list",
    id: "switcher-list",
    role: "listbox",
    "aria-label": "Places and people",
  });
  const field = h("input", {
    class: "switcher-field",
    type: "text",
    placeholder: "Where to?",
    "aria-label": "Jump to a channel or a person",
    role: "combobox",
    "aria-expanded": "true",
    "aria-controls": "switcher-list",
    autocomplete: "off",
  });
  const dialog = h(
    "dialog",
    { class: "dialog switcher", "data-testid": "switcher", "aria-label": "Jump to" },
    field,
    list,
  );
  let rows = [];
  let active = 0;
  const close = () => {
    dialog.close();
    dialog.remove();
  };
  const take = (row) => {
    close();
    row?.run();
  };
  const mark = (index) => {
    active = rows.length ? (index + rows.length) % rows.length : 0;
    rows.forEach(({ node }, n) => {
      node.classList.toggle("active", n === active);
      node.setAttribute("aria-selected", String(n === active));
    });
    rows[active]?.node.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", rows[active]?.node.id || "");
  };
  const draw = () => {
    const typed = field.value.trim().toLowerCase().replace(/^[#@]/, "");
    rows = entries()
      .filter(({ label, words }) => `${label} ${words}`.toLowerCase().includes(typed))
      .map((row, n) => {
        const node = h(
          "div",
          {
            class: "menu-option",
            id: `switch-${n}`,
            role: "option",
            onclick: () => take(row),
            onpointermove: () => mark(n),
          },
          row.lead,
          h(
            "span",
            { class: "menu-text" },
            h("span", { class: "menu-label" }, row.label),
            h("span", { class: "menu-description" }, row.words),
          ),
        );
        return { ...row, node };
      });
    list.replaceChildren(
      ...(rows.length ? rows.map(({ node }) => node) : [h("div", { class: "menu-empty" }, "Nothing found")]),
    );
    mark(0);
  };
  field.addEventListener("input", draw);
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      mark(active + step);
    }
    if (event.key === "Enter") {
      event.preventDefault();
      take(rows[active]);
    }
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  document.body.append(dialog);
  dialog.showModal();
  draw();
}

function entries() {
  const places = store.channels.map((channel) => ({
    label: channelLabel(channel),
    words: isApp(channel) ? "App" : channel.purpose,
    lead: channelLead(channel, 24, 18),
    run: () => go(channel.id),
  }));
  const people = store.people
    .filter((user) => user.id !== store.me.id)
    .map((user) => ({
      label: `Act as ${user.real_name}`,
      words: `@${user.name}`,
      lead: avatar(user, 24),
      run: () => switchTo(user.id),
    }));
  return [...places, ...people];
}
