// The `markdown` block: the subset of Markdown that models commonly write.

import { fragment, h, link } from "../dom.js";
import { withEmoji } from "./emoji.js";

const FENCE = /^\s{0,3}(```+|~~~+)\s*([\w+-]*)\s*$/;
const HEADING = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^\s{0,3}([-*_])(\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^\s{0,3}>\s?/;
const DELIMITER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const DEEPEST = 12;

export const markdown = (text) => h("div", { class: "markdown" }, blocks(String(text).split("\n"), 0));

function blocks(lines, depth) {
  const out = fragment();
  if (depth > DEEPEST) return fragment(lines.join("\n"));
  for (let at = 0; at < lines.length;) {
    const [node, next] = block(lines, at, depth);
    if (node) out.append(node);
    at = next;
  }
  return out;
}

function block(lines, at, depth) {
  const line = lines[at];
  if (!line.trim()) return [null, at + 1];
  const fence = FENCE.exec(line);
  if (fence) return fenced(lines, at, fence[1]);
  const heading = HEADING.exec(line);
  if (heading)
    return [
      h(`h${Math.min(heading[1].length + 2, 6)}`, { class: `md-${heading[1].length}` }, spans(heading[2])),
      at + 1,
    ];
  if (RULE.test(line)) return [h("hr"), at + 1];
  if (QUOTE.test(line)) return gathered(lines, at, QUOTE, (inner) => h("blockquote", {}, blocks(inner, depth + 1)));
  if (line.includes("|") && DELIMITER.test(lines[at + 1] || "") && lines[at + 1].includes("-")) return table(lines, at);
  if (ITEM.test(line)) return list(lines, at, depth);
  return paragraph(lines, at);
}

function fenced(lines, at, mark) {
  let end = at + 1;
  while (end < lines.length && !lines[end].trim().startsWith(mark)) end += 1;
  return [h("pre", { class: "pre" }, lines.slice(at + 1, end).join("\n")), end + 1];
}

function gathered(lines, at, pattern, build) {
  let end = at;
  while (end < lines.length && pattern.test(lines[end])) end += 1;
  return [build(lines.slice(at, end).map((line) => line.replace(pattern, ""))), end];
}

function paragraph(lines, at) {
  let end = at + 1;
  const starts = (line) =>
    !line.trim() || FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
  while (end < lines.length && !starts(lines[end])) end += 1;
  return [h("p", {}, spans(lines.slice(at, end).join("\n"))), end];
}

function list(lines, at, depth) {
  const [, indent, mark] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(mark);
  const items = [];
  let end = at;
  while (end < lines.length) {
    const match = ITEM.exec(lines[end]);
    if (
      !match ||
      match[1].length > indent.length + 1 ||
      match[1].length < indent.length ||
      /\d/.test(match[2]) !== ordered
    )
      break;
    const inner = [match[3]];
    const width = match[1].length + match[2].length + 1;
    for (end += 1; end < lines.length; end += 1) {
      const deeper = lines[end].search(/\S/) > indent.length;
      if (!deeper && !(lines[end].trim() === "" && (lines[end + 1] || "").search(/\S/) > indent.length)) break;
      inner.push(lines[end].slice(Math.min(width, Math.max(lines[end].search(/\S/), 0))));
    }
    items.push(item(inner, depth));
    while (end < lines.length && !lines[end].trim() && ITEM.test(lines[end + 1] || "")) end += 1;
  }
  return [
    h(ordered ? "ol" : "ul", { start: ordered ? Number.parseInt(mark, 10) : null }, items),
    Math.max(end, at + 1),
  ];
}

function item(inner, depth) {
  const task = /^\[([ xX])\]\s+/.exec(inner[0]);
  if (task) inner[0] = `${task[1] === " " ? "☐" : "☑"} ${inner[0].slice(task[0].length)}`;
  if (inner.length === 1) return h("li", {}, spans(inner[0]));
  return h("li", {}, blocks(inner, depth + 1));
}

function cells(line) {
  return line
    .trim()
    .replace(/^\||\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function table(lines, at) {
  const align = cells(lines[at + 1]).map((cell) =>
    cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : "left",
  );
  const row = (line, tag) =>
    h(
      "tr",
      {},
      cells(line)
        .slice(0, align.length)
        .map((cell, n) => h(tag, { class: `align-${align[n]}` }, spans(cell))),
    );
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|")) end += 1;
  const body = lines.slice(at + 2, end).map((line) => row(line, "td"));
  const node = h("table", {}, h("thead", {}, row(lines[at], "th")), h("tbody", {}, body));
  return [h("div", { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "Table" }, node), end];
}

const SPANS = [
  [/\\([\\`*_{}[\]()#+\-.!|~<>])/y, (m) => m[1]],
  [/(`+)([^`\n]|[^`\n][^\n]*?[^`\n])\1(?!`)/y, (m) => h("code", {}, m[2])],
  [
    /!?\[([^[\]\n]*)\]\(([^()\s]+(?:\([^()\s]*\))?)(?:\s+"[^"\n]*")?\)/y,
    (m, depth) => link(m[2], spans(m[1] || m[2], depth)),
  ],
  [/<(https?:\/\/[^\s<>]+|mailto:[^\s<>]+)>/y, (m) => link(m[1], m[1].replace(/^mailto:/, ""))],
  [/\*\*(?=\S)([^\n]*?\S)\*\*/y, (m, depth) => h("strong", {}, spans(m[1], depth))],
  [/__(?=\S)([^\n]*?\S)__(?!\w)/y, (m, depth) => h("strong", {}, spans(m[1], depth))],
  [/~~(?=\S)([^\n]*?\S)~~/y, (m, depth) => h("s", {}, spans(m[1], depth))],
  [/\*(?=[^\s*])([^*\n]*[^\s*])\*/y, (m, depth) => h("em", {}, spans(m[1], depth))],
  [/_(?=[^\s_])([^_\n]*[^\s_])_(?!\w)/y, (m, depth) => h("em", {}, spans(m[1], depth))],
  [/https?:\/\/[^\s<>"`]+[^\s<>"`.,;:!?)\]}']/y, (m) => link(m[0], m[0])],
];
const STARTS = /[\\`![<*_~h]/;
const MOST = 20_000;

function spans(text, depth = 0) {
  const out = fragment();
  if (depth > DEEPEST || text.length > MOST) return fragment(text);
  let plain = "";
  for (let at = 0; at < text.length;) {
    const found =
      STARTS.test(text[at]) && !(/\w/.test(text[at - 1] || "") && /[_h]/.test(text[at])) && span(text, at, depth);
    if (!found) {
      plain += text[at];
      at += 1;
      continue;
    }
    if (plain) out.append(withEmoji(plain));
    plain = "";
    out.append(found.node);
    at = found.end;
  }
  if (plain) out.append(withEmoji(plain));
  return out;
}

function span(text, at, depth) {
  for (const [pattern, build] of SPANS) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) {
      const end = pattern.lastIndex;
      const node = build(match, depth + 1);
      return { node, end };
    }
  }
  return null;
}
