// Creation of DOM elements. Text always becomes a text node and is never parsed as HTML.

import { visible } from "./text/visible.js";

// Attributes whose value is shown or read out to people.
const READ = new Set(["title", "alt", "placeholder", "aria-label"]);
const SVG = "http://www.w3.org/2000/svg";

/** Return an element with attributes, `on…` listeners and children (nodes, strings, arrays; null is omitted). */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") node[name] = value;
    else if (READ.has(name)) node.setAttribute(name, visible(String(value)));
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

/** Return a text node in which hidden characters are replaced by visible markers. */
export const shownText = (text) => document.createTextNode(visible(String(text)));

export function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : shownText(child));
  }
  return node;
}

export const fragment = (...children) => append(document.createDocumentFragment(), children);
export const byId = (id) => document.getElementById(id);

const PATHS = {
  lock: "M5.5 9h9v7.5h-9zM7.3 9V6.7a2.7 2.7 0 0 1 5.4 0V9",
  hash: "M7.5 3 6 17M14 3l-1.5 14M3.5 7.5h13.5M3 12.5h13.5",
  send: "M3 10 2.5 3.5 17.5 10 2.5 16.5zM3 10h6",
  bolt: "M11.5 2 4.5 11.5h5l-1 6.5 7-9.5h-5z",
  at: "M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0zm0 0c0 3.5 4.5 3 4.5 0A7.5 7.5 0 1 0 14 16",
  slash: "M13 3 7 17",
  close: "M5 5l10 10M15 5 5 15",
  back: "M11.5 4 5.5 10l6 6M6 10h10",
  menu: "M3 5.5h14M3 10h14M3 14.5h14",
  reply: "M3.5 4h13v9.5H9L5.5 17v-3.5h-2zM6.5 7.5h7M6.5 10h4.5",
  smile: "M17 10a7 7 0 1 1-14 0 7 7 0 0 1 14 0zM7.3 8v.5M12.7 8v.5M6.8 11.5c1.4 2.8 5 2.8 6.4 0",
  more: "M10 4.6v.1M10 10v.1M10 15.4v.1",
  search: "M13.5 8.5a5 5 0 1 1-10 0 5 5 0 0 1 10 0zM12.2 12.2 17 17",
  auto: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  light:
    "M13.2 10a3.2 3.2 0 1 1-6.4 0 3.2 3.2 0 0 1 6.4 0zM10 2v1.6M10 16.4V18M2 10h1.6M16.4 10H18M4.3 4.3l1.2 1.2M14.5 14.5l1.2 1.2M4.3 15.7l1.2-1.2M14.5 5.5l1.2-1.2",
  dark: "M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7z",
  down: "M5 8l5 5 5-5",
  check: "M4 10.5 8 14.5 16 5.5",
  file: "M5 2.5h6.5L15.5 6.5v11H5zM11 2.5V7h4.5",
  clip: "M14.5 8.5 9 14a3 3 0 0 1-4.2-4.2l6-6a2 2 0 0 1 2.9 2.9l-6 6a1 1 0 0 1-1.5-1.5l5-5",
  eye: "M2 10c3.5-6.5 12.5-6.5 16 0-3.5 6.5-12.5 6.5-16 0zM12.3 10a2.3 2.3 0 1 1-4.6 0 2.3 2.3 0 0 1 4.6 0z",
  trash: "M3.5 5.5h13M8 5V3h4v2M5.5 5.5l.8 11.5h7.4l.8-11.5",
  people:
    "M10.5 7a2.8 2.8 0 1 1-5.6 0 2.8 2.8 0 0 1 5.6 0zM2.5 16.5c.4-6 10-6 10.4 0M13 4.6a2.5 2.5 0 0 1 0 4.8M14.5 11.6c2 .6 3 2.3 3 4.9",
};

/** Return an icon as SVG without a label; the button around it has the label. */
export function icon(name, size = 18) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = {
    viewBox: "0 0 20 20",
    width: size,
    height: size,
    fill: "none",
    stroke: "currentColor",
    class: "icon",
    "stroke-width": name === "more" ? 2.6 : 1.5,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
    "aria-hidden": "true",
  };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function iconButton(name, label, props = {}) {
  const { class: extra = "", ...rest } = props;
  return h(
    "button",
    { type: "button", class: `icon-button ${extra}`, "aria-label": label, title: label, ...rest },
    icon(name),
  );
}

const LINKABLE = new Set(["http:", "https:", "mailto:"]);

/** Return the address if its scheme may be opened, or else null. */
export function safeUrl(text) {
  try {
    const url = new URL(String(text));
    return LINKABLE.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** Return a link that opens in a new tab, or its text alone if the address may not be opened. */
export function link(address, ...label) {
  const url = safeUrl(address);
  if (!url) return h("span", { class: "no-link" }, ...label);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer", title: url }, ...label);
}

/** Return an image of a message; only http(s) addresses are loaded, without a referrer. */
export function picture(address, alt, props = {}) {
  const url = safeUrl(address);
  if (!url || url.startsWith("mailto:")) return h("span", { class: "unsupported" }, `image: ${alt || "no text"}`);
  return h("img", { src: url, alt: alt || "", loading: "lazy", referrerpolicy: "no-referrer", ...props });
}

/** Return a person's initials on their colour, or the flag for the bot. */
export function avatar(user, size = 36) {
  const box = h("span", { class: "avatar", "aria-hidden": "true" });
  box.style.setProperty("--size", `${size}px`);
  if (!user || user.is_bot) {
    box.append(h("img", { src: "/playground/static/flag.svg", alt: "", width: size, height: size }));
    return box;
  }
  const color = /^[0-9a-f]{6}$/i.test(user.color) ? user.color : "616061";
  // The colour is darkened until white initials are readable on it.
  const bright = luminance(color);
  const keep = bright > READABLE ? Math.floor((READABLE / bright) ** 0.5 * 92) : 100;
  box.style.background = `color-mix(in srgb, #${color} ${keep}%, #000)`;
  const words = user.real_name.split(/\s+/);
  box.append((words[0][0] + (words.length > 1 ? words.at(-1)[0] : "")).toUpperCase());
  return box;
}

const READABLE = 0.175;

function luminance(color) {
  const part = (at) => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4);
}
