// `rich_text` blocks: sections, lists, quotes, preformatted text.

import { formatted, fullTime } from "./dates.js";
import { fragment, h, link, shownText } from "../dom.js";
import { emoji } from "./emoji.js";
import { broadcast, channelMention, groupMention, userMention } from "./mentions.js";
import { emojiNode } from "./mrkdwn.js";

const STYLES = {
  code: "code",
  bold: "strong",
  italic: "em",
  strike: "s",
  underline: "u",
  highlight: "mark",
  client_highlight: "mark",
};

const PARTS = {
  text: ({ text }) => shownText(text),
  link: ({ url, text }) => link(url, text || url),
  emoji: emojiPart,
  user: ({ user_id }) => userMention(user_id),
  usergroup: ({ usergroup_id }) => groupMention(usergroup_id),
  channel: ({ channel_id }) => channelMention(channel_id),
  team: ({ team_id }) => shownText(team_id),
  broadcast: ({ range }) => broadcast(range),
  color: ({ value }) => colorPart(value),
  date: datePart,
};

function emojiPart({ name, unicode, skin_tone }) {
  const known = emoji(name, skin_tone) || (unicode && fromHex(unicode));
  return known ? emojiNode(known, name) : shownText(`:${name}:`);
}

function fromHex(unicode) {
  const points = unicode.split("-").map((part) => Number.parseInt(part, 16));
  return points.every((point) => point > 0 && point <= 0x10ffff) ? String.fromCodePoint(...points) : null;
}

function colorPart(value) {
  const node = h("span", { class: "color" }, value);
  if (/^#[0-9a-f]{6}$/i.test(value)) node.style.setProperty("--swatch", value);
  return node;
}

function datePart({ timestamp, format, url, fallback }) {
  const node = h("time", { title: fullTime(timestamp) }, formatted(timestamp, format) ?? fallback ?? "");
  return url ? link(url, node) : node;
}

function part(element) {
  const build = PARTS[element.type];
  let node = build ? build(element) : shownText(element.text || "");
  for (const [name, tag] of Object.entries(STYLES)) {
    if (element.style?.[name]) node = h(tag, {}, node);
  }
  return node;
}

const parts = (element) => (element.elements || []).map(part);
const border = (element) => (element.border ? " bordered" : "");

const ELEMENTS = {
  rich_text_section: (element) => h("div", { class: "rt-section" }, parts(element)),
  rich_text_quote: (element) => h("blockquote", {}, parts(element)),
  rich_text_preformatted: (element) => h("pre", { class: "pre", tabindex: null }, parts(element)),
  rich_text_list: (element) => {
    const ordered = element.style === "ordered";
    const depth = Math.min(element.indent || 0, 8);
    const items = element.elements.map((item) => h("li", {}, parts(item)));
    const list = h(
      ordered ? "ol" : "ul",
      { class: `rt-list level-${depth % 3}${border(element)}`, start: ordered ? (element.offset || 0) + 1 : null },
      items,
    );
    list.style.setProperty("--depth", depth);
    return list;
  },
};

/** Return the node of a rich_text block. */
export function richText(block) {
  const built = (block.elements || []).map((element) =>
    ELEMENTS[element.type] ? ELEMENTS[element.type](element) : fragment(),
  );
  return h("div", { class: "rich-text" }, built);
}
