// Mentions of people, groups and channels in a text.

import { h } from "../dom.js";
import { channelLabel, store } from "../state/store.js";

export function userMention(id, label) {
  const user = store.users.get(id);
  const mine = id === store.me?.id;
  return h(
    "span",
    { class: `mention${mine ? " me" : ""}`, title: user?.real_name },
    `@${user?.real_name || label || id}`,
  );
}

export function groupMention(id, label) {
  const group = store.groups.get(id);
  const mine = group?.users.includes(store.me?.id);
  return h(
    "span",
    { class: `mention${mine ? " me" : ""}`, title: group?.name },
    group ? `@${group.handle}` : label || id,
  );
}

export function channelMention(id, label) {
  const channel = store.channels.find((row) => row.id === id);
  if (!channel) return h("span", { class: "mention" }, `#${label || id}`);
  return h("a", { class: "mention", href: `#${id}` }, channelLabel(channel));
}

export const broadcast = (range) => h("span", { class: "mention me" }, `@${range}`);
