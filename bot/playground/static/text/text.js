// Slack's text objects.

import { h } from "../dom.js";
import { withEmoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";

/** Return the text of a text object or string. */
export function textOf(text) {
  if (text === null || text === undefined) return "";
  if (typeof text === "string") return text;
  return text.emoji === false ? String(text.text ?? "") : withEmoji(text.text ?? "");
}

/** Return the nodes of a text object, formatted if it is mrkdwn. */
export function textNode(text, tag = "div", className = "text") {
  if (text?.type === "mrkdwn") return h(tag, { class: className }, mrkdwn(text.text, text));
  return h(tag, { class: className }, textOf(text));
}
