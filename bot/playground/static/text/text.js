// Slack's text objects.

import { h } from "../dom.js";
import { withEmoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";

/** The words of a plain text object, or of a string. */
export function textOf(text) {
  if (text === null || text === undefined) return "";
  if (typeof text === "string") return text;
  return text.emoji === false ? String(text.text ?? "") : withEmoji(text.text ?? "");
}

/** A text object, formatted where it asks for it. */
export function textNode(text, tag = "div", className = "text") {
  if (text?.type === "mrkdwn") return h(tag, { class: className }, mrkdwn(text.text, text));
  return h(tag, { class: className }, textOf(text));
}
