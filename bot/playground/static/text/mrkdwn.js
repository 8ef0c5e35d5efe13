// Slack's mrkdwn as nodes: *bold*, _italic_, ~strike~, `code`, fences, quotes, <links and mentions>, :emoji:.

import { formatted, fullTime } from "./dates.js";
import { append, fragment, h, link, safeUrl, shownText } from "../dom.js";
import { emoji, SHORTCODE } from "./emoji.js";
import { broadcast, channelMention, groupMention, userMention } from "./mentions.js";

const TAGS = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;
const BARE_URL = /https?:\/\/[^\s<>|`"]+[^\s<>|`".,;:!?)\]}']/y;

/** Decode the three entities that Slack escapes, and no others. */
export const decode = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

/** Return the text without the word joiners that disable a formatting mark. */
const shown = (text) => decode(text).replace(/(^|[*_~`])\u2060/g, "$1");

/** Return the nodes of a mrkdwn text; with `verbatim` bare addresses are not linked. */
export function mrkdwn(text, { verbatim = false } = {}) {
  const out = fragment();
  const parts = String(text ?? "").split(/```([\s\S]+?)```\n?/);
  parts.forEach((part, index) => {
    if (index % 2) out.append(h("pre", { class: "pre" }, fenced(part.replace(/^\n|\n$/g, ""))));
    else if (part) quotes(part.replace(index + 1 < parts.length ? /\n$/ : /$^/, ""), verbatim, out);
  });
  return out;
}

/** Return the nodes of preformatted text, in which only links are interpreted. */
function fenced(text) {
  return text.split(/(<[^<>\n]+>)/).map((part, index) => (index % 2 ? reference(part.slice(1, -1)) : shown(part)));
}

function quotes(text, verbatim, out) {
  const lines = text.split("\n");
  for (let at = 0; at < lines.length;) {
    const start = at;
    const quoted = /^(?:&gt;|>)/.test(lines[at]);
    if (quoted && /^(?:&gt;|>){3}/.test(lines[at])) {
      const rest = lines
        .slice(at)
        .join("\n")
        .replace(/^(?:&gt;|>){3} ?/, "");
      out.append(h("blockquote", {}, inline(rest, verbatim)));
      return;
    }
    while (at < lines.length && /^(?:&gt;|>)/.test(lines[at]) === quoted) at += 1;
    const group = lines.slice(start, at);
    if (quoted)
      out.append(
        h("blockquote", {}, inline(group.map((line) => line.replace(/^(?:&gt;|>) ?/, "")).join("\n"), verbatim)),
      );
    else out.append(inline(group.join("\n"), verbatim));
  }
}

/** Return the nodes of text without fences: formatting, code, references, emoji. */
export function inline(text, verbatim = false) {
  const out = fragment();
  // For each mark, the range known to contain no end of it, so that the time stays linear for any input.
  const barren = {};
  let plain = "";
  const flush = (node) => {
    if (plain) append(out, [shown(plain)]);
    plain = "";
    if (node) out.append(node);
  };
  for (let at = 0; at < text.length;) {
    const found = at < (barren[text[at]] ?? 0) ? null : special(text, at, verbatim, barren);
    if (found) {
      flush(found.node);
      at = found.end;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
  return out;
}

function special(text, at, verbatim, barren) {
  const mark = text[at];
  if (mark === "<") return angle(text, at);
  if (mark === ":") return shortcode(text, at);
  if (mark === "`") return code(text, at);
  if (TAGS[mark]) return styled(text, at, verbatim, barren);
  if (mark === "h" && !verbatim && !WORD.test(text[at - 1] || "")) return bare(text, at);
  return null;
}

function angle(text, at) {
  const end = text.indexOf(">", at);
  const inside = end > 0 ? text.slice(at + 1, end) : "";
  if (!inside || /[<\n]/.test(inside)) return null;
  return { node: reference(inside), end: end + 1 };
}

function shortcode(text, at) {
  SHORTCODE.lastIndex = at;
  const match = SHORTCODE.exec(text);
  const drawn = match && emoji(match[1], match[2]);
  return drawn ? { node: emojiNode(drawn, match[1]), end: SHORTCODE.lastIndex } : null;
}

export const emojiNode = (drawn, name) =>
  h("span", { class: "emoji", role: "img", title: `:${name}:`, "aria-label": name.replaceAll("_", " ") }, drawn);

function code(text, at) {
  const end = text.indexOf("`", at + 1);
  const inside = end > 0 ? text.slice(at + 1, end) : "";
  if (!inside || inside.includes("\n")) return null;
  return { node: h("code", {}, fenced(inside)), end: end + 1 };
}

function styled(text, at, verbatim, barren) {
  const mark = text[at];
  const next = text[at + 1] || " ";
  // A word joiner after a mark disables it.
  if (WORD.test(text[at - 1] || "") || /[\s\u2060]/.test(next) || next === mark) return null;
  const end = closing(text, at, mark, barren);
  return end && { node: h(TAGS[mark], {}, inline(text.slice(at + 1, end), verbatim)), end: end + 1 };
}

function closing(text, at, mark, barren) {
  let j = at + 1;
  for (; j < text.length && text[j] !== "\n"; j += 1) {
    if (text[j] === "<" || text[j] === "`") {
      const skip = text.indexOf(text[j] === "<" ? ">" : "`", j + 1);
      const line = text.indexOf("\n", j);
      if (skip > 0 && (line < 0 || skip < line)) {
        j = skip;
        continue;
      }
    }
    if (text[j] !== mark || j === at + 1) continue;
    if (!/\s/.test(text[j - 1]) && !WORD.test(text[j + 1] || "") && text[j + 1] !== mark) return j;
  }
  barren[mark] = j;
  return null;
}

function bare(text, at) {
  BARE_URL.lastIndex = at;
  const match = BARE_URL.exec(text);
  return match && { node: link(decode(match[0]), decode(match[0])), end: BARE_URL.lastIndex };
}

/** Return the node of a reference between < and >: a mention, a date or a link. */
function reference(inside) {
  const bar = inside.indexOf("|");
  const target = bar < 0 ? inside : inside.slice(0, bar);
  const label = bar < 0 ? null : decode(inside.slice(bar + 1));
  if (/^@[UWB]/.test(target)) return userMention(target.slice(1), label);
  if (/^#[CDG]/.test(target)) return channelMention(target.slice(1), label);
  if (/^!(here|channel|everyone)$/.test(target)) return broadcast(target.slice(1));
  if (target.startsWith("!subteam^")) return groupMention(target.slice(9), label);
  if (target.startsWith("!date^")) return date(target.slice(6), label);
  const address = decode(target);
  if (safeUrl(address)) return link(address, label || address.replace(/^mailto:/, ""));
  return shownText(`<${decode(inside)}>`);
}

function date(text, fallback) {
  const [at, pattern = "", address] = text.split("^");
  const words = formatted(Number(at), decode(pattern)) ?? fallback ?? "";
  const node = h("time", { title: words === fallback ? null : fullTime(Number(at)) }, words);
  return address ? link(decode(address), node) : node;
}
