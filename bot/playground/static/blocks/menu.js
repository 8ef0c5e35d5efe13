// A menu that opens at its button: options with descriptions, a filter, one or many choices.

import { h } from "../dom.js";

let count = 0;
let closed = { anchor: null, at: 0 };

/**
 * Open the menu below `anchor`. Items: {label, value, description?, lead?, group?, checked?, danger?}.
 * A choice calls `pick(item)`; with `many` the menu stays open. `load(query)` returns items for the typed text.
 */
export function openMenu(
  anchor,
  {
    items = [],
    pick,
    filter = items.length > 8,
    many = false,
    load = null,
    label = "Options",
    role = "listbox",
    empty = "Nothing found",
  },
) {
  if (closed.anchor === anchor && performance.now() - closed.at < 250) return;
  count += 1;
  const id = `menu-${count}`;
  const list = h("div", {
    class: "menu-list",
    id,
    role,
    tabindex: filter || load ? "-1" : "0",
    "aria-label": label,
    "aria-multiselectable": many || null,
  });
  const field =
    filter || load
      ? h("input", {
          class: "menu-filter",
          type: "text",
          placeholder: "Search",
          "aria-label": `Search: ${label}`,
          "aria-controls": id,
          autocomplete: "off",
          role: "combobox",
          "aria-expanded": "true",
        })
      : null;
  const box = h("div", { class: "menu", popover: "auto" }, field, list);
  const focused = field || list;
  let rows = [];
  let active = -1;

  const activate = (index) => {
    rows[active]?.node.classList.remove("active");
    active = rows.length ? (index + rows.length) % rows.length : -1;
    const row = rows[active];
    row?.node.classList.add("active");
    row?.node.scrollIntoView({ block: "nearest" });
    if (row) focused.setAttribute("aria-activedescendant", row.node.id);
    else focused.removeAttribute("aria-activedescendant");
  };
  const choose = (row) => {
    if (!row) return;
    if (many) {
      row.item.checked = !row.item.checked;
      row.node.setAttribute("aria-selected", String(row.item.checked));
    } else box.hidePopover();
    pick(row.item);
  };
  const show = (shown) => {
    list.replaceChildren();
    rows = [];
    let group = null;
    for (const item of shown) {
      if (item.group && item.group !== group)
        list.append(h("div", { class: "menu-group", role: "presentation" }, item.group));
      group = item.group;
      const node = optionNode(item, `${id}-${rows.length}`, role === "menu" ? "menuitem" : "option");
      const row = { item, node };
      node.addEventListener("click", () => choose(row));
      node.addEventListener("pointermove", () => active !== rows.indexOf(row) && activate(rows.indexOf(row)));
      rows.push(row);
      list.append(node);
    }
    if (!rows.length) list.append(h("div", { class: "menu-empty" }, empty));
    const chosen = rows.findIndex(({ item }) => item.checked);
    activate(chosen > 0 && !field?.value ? chosen : 0);
    place(box, anchor);
  };
  const search = async () => {
    const query = field?.value.trim().toLowerCase() || "";
    if (load) {
      const found = await load(field.value);
      if (box.isConnected) show(found);
    } else show(items.filter((item) => `${item.label} ${item.description || ""}`.toLowerCase().includes(query)));
  };
  box.addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) activate(active + move);
    else if (event.key === "Enter" || (event.key === " " && !field)) choose(rows[active]);
    else if (event.key === "Home" && !field) activate(0);
    else if (event.key === "End" && !field) activate(rows.length - 1);
    else if (event.key === "Tab") {
      box.hidePopover();
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  field?.addEventListener("input", () => search());
  box.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    closed = { anchor, at: performance.now() };
    anchor.setAttribute("aria-expanded", "false");
    if (box.contains(document.activeElement) || document.activeElement === document.body) anchor.focus();
    box.remove();
  });
  (anchor.closest("dialog") || document.body).append(box);
  anchor.setAttribute("aria-expanded", "true");
  box.showPopover();
  if (load) search();
  else show(items);
  focused.focus();
}

function optionNode(item, id, role) {
  return h(
    "div",
    {
      class: `menu-option${item.danger ? " danger" : ""}`,
      id,
      role,
      "data-value": item.value,
      "aria-selected": role === "option" ? String(Boolean(item.checked)) : null,
    },
    item.lead,
    h(
      "span",
      { class: "menu-text" },
      h("span", { class: "menu-label" }, item.label),
      item.description && h("span", { class: "menu-description" }, item.description),
    ),
  );
}

function place(box, anchor) {
  const at = anchor.getBoundingClientRect();
  box.style.minWidth = `${Math.min(Math.max(at.width, 200), innerWidth - 16)}px`;
  const { width, height } = box.getBoundingClientRect();
  const below = innerHeight - at.bottom - 12;
  const above = at.top - 12;
  const up = below < height && above > below;
  box.style.maxHeight = `${Math.max(up ? above : below, 120)}px`;
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
  box.style.top = up ? `${Math.max(8, at.top - Math.min(height, above) - 4)}px` : `${at.bottom + 4}px`;
}
