// A message with its author, time, content, files, reactions and thread.

import { blockKit } from "../blocks/blockkit.js";
import { confirmed } from "../blocks/confirm.js";
import { ofMessage } from "../state/context.js";
import { dayAndTime, fullTime, seconds, time, timeWithoutHalf } from "../text/dates.js";
import { avatar, h, icon, iconButton, picture } from "../dom.js";
import { emoji } from "../text/emoji.js";
import { openMenu } from "../blocks/menu.js";
import { isReply } from "../state/remember.js";
import { act, complain, go, store, toast, unreadReplies } from "../state/store.js";
import { mrkdwn } from "../text/mrkdwn.js";

const QUICK = ["white_check_mark", "x", "eyes"];
const PICKED = [
  "+1",
  "white_check_mark",
  "eyes",
  "raised_hands",
  "tada",
  "rocket",
  "heart",
  "joy",
  "thinking_face",
  "pray",
  "wave",
  "fire",
  "x",
  "warning",
  "-1",
  "100",
];

export function author(message) {
  const user = store.users.get(message.user);
  if (message.bot_id)
    return {
      ...(user || {}),
      is_bot: true,
      real_name: message.username || message.bot_profile?.name || user?.real_name || "App",
    };
  if (message.subtype === "tombstone") return { real_name: "Slackbot", color: "616061" };
  return user || { real_name: message.username || message.user || "Somebody", color: "616061" };
}

/** Return the node of a message shown in {channel, thread}; `grouped` omits the author. */
export function messageNode(message, { channel, thread, grouped }) {
  const who = author(message);
  const at = seconds(message.ts);
  const stamp = (text, name) =>
    h("time", { class: name, title: fullTime(at), datetime: new Date(at * 1000).toISOString() }, text);
  const gutter = grouped ? stamp(timeWithoutHalf(at), "gutter-time") : avatar(who, 36);
  const head =
    !grouped &&
    h(
      "div",
      { class: "message-head" },
      h("span", { class: "author" }, who.real_name),
      who.is_bot && h("span", { class: "badge-app" }, "APP"),
      stamp(time(at), "stamp"),
    );
  const context = ofMessage(channel, message);
  const body = h(
    "div",
    { class: "message-body" },
    head,
    content(message, context),
    (message.files || []).map(fileNode),
    reactions(channel, message),
    !thread && !message.ephemeral && message.reply_count ? replies(channel, message) : null,
    message.ephemeral &&
      h(
        "div",
        { class: "only-you" },
        icon("eye", 14),
        "Only visible to you · ",
        h(
          "button",
          {
            type: "button",
            class: "link-button",
            "data-testid": "dismiss",
            onclick: () => act("dismiss", { ts: message.ts }).catch(complain),
          },
          "Dismiss",
        ),
      ),
  );
  const node = h(
    "article",
    {
      class: `message${grouped ? " grouped" : ""}${message.ephemeral ? " ephemeral" : ""}`,
      tabindex: "0",
      "data-testid": "message",
      "data-ts": message.ts,
      "data-thread-ts": message.thread_ts || null,
      "data-user": message.user || null,
      "data-ephemeral": message.ephemeral ? "true" : null,
      "aria-label": `${who.real_name}, ${time(at)}`,
    },
    message.ephemeral ? null : toolbar(channel, message, thread),
    gutter,
    body,
  );
  context.root = node;
  return node;
}

function content(message, context) {
  const edited =
    message.edited &&
    !message.bot_id &&
    h("span", { class: "edited", title: fullTime(seconds(message.edited.ts)) }, " (edited)");
  if (message.blocks?.length) return [blockKit(message.blocks, context), edited];
  const attached = (message.attachments || []).filter((part) => part.blocks || part.text || part.fallback);
  return [
    (message.text || edited) && h("div", { class: "text" }, mrkdwn(message.text), edited),
    attached.map((part) =>
      h(
        "div",
        { class: "attachment" },
        part.blocks ? blockKit(part.blocks, context) : mrkdwn(part.text || part.fallback),
      ),
    ),
  ];
}

function fileNode(file) {
  const address = `/playground/files/${encodeURIComponent(file.id)}`;
  const size =
    file.size >= 1e6
      ? `${(file.size / 1e6).toFixed(1)} MB`
      : file.size >= 1000
        ? `${Math.round(file.size / 1000)} kB`
        : `${file.size ?? "?"} bytes`;
  const title = file.title || file.name || "file";
  const head = h(
    "div",
    { class: "file-head" },
    h("span", { class: "file-icon" }, icon("file", 22)),
    h(
      "div",
      { class: "file-name" },
      h("a", { href: address, target: "_blank", rel: "noopener noreferrer", title: file.name }, title),
      h("div", { class: "file-note" }, `${file.pretty_type || "File"} · ${size}`),
    ),
    h(
      "a",
      {
        class: "button small",
        href: `${address}?download=1`,
        download: file.name || "",
        "aria-label": `Download ${title}`,
      },
      "Download",
    ),
  );
  const preview =
    file.preview &&
    h(
      "pre",
      { class: "file-preview", tabindex: "0", "aria-label": `Preview of ${title}` },
      file.preview,
      file.size > file.preview.length ? "\n…" : "",
    );
  const image =
    /^image\/(png|jpeg|gif|webp)$/.test(file.mimetype || "") &&
    picture(new URL(address, location.href), title, { class: "file-image" });
  return h("div", { class: "file", "data-testid": "file" }, head, preview, image);
}

function toggleReaction(channel, message, name) {
  const mine = message.reactions?.find((row) => row.name === name)?.users.includes(store.me.id);
  act("reaction", { channel, ts: message.ts, name, remove: Boolean(mine) }).catch(complain);
}

function reactions(channel, message) {
  if (!message.reactions?.length) return null;
  return h(
    "div",
    { class: "reactions" },
    message.reactions.map(({ name, users, count }) => {
      const names = users.map((id) => (id === store.me.id ? "You" : store.users.get(id)?.real_name || id)).join(", ");
      const mine = users.includes(store.me.id);
      return h(
        "button",
        {
          type: "button",
          class: "reaction",
          "aria-pressed": String(mine),
          title: `${names} reacted with :${name}:`,
          "aria-label": `${name.replaceAll("_", " ")}, ${count}`,
          onclick: () => toggleReaction(channel, message, name),
        },
        h("span", { class: "emoji" }, emoji(name) || `:${name}:`),
        h("span", {}, count),
      );
    }),
  );
}

function replies(channel, message) {
  const count = `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`;
  const fresh = unreadReplies(channel, message);
  const faces = (message.reply_users || []).slice(0, 4).map((id) => avatar(store.users.get(id), 24));
  return h(
    "button",
    {
      type: "button",
      class: `replies${fresh ? " fresh" : ""}`,
      "data-testid": "open-thread",
      "data-ts": message.ts,
      onclick: () => go(channel, message.ts),
    },
    h("span", { class: "faces" }, faces),
    h("span", { class: "replies-count" }, count),
    fresh && h("span", { class: "badge-new", "data-testid": "unread-replies" }, "New"),
    message.latest_reply &&
      h("span", { class: "replies-last" }, `Last reply ${dayAndTime(seconds(message.latest_reply))}`),
    h("span", { class: "replies-open" }, "View thread"),
  );
}

function toolbar(channel, message, thread) {
  const pick = (event) => {
    const items = PICKED.map((name) => ({
      label: name.replaceAll("_", " "),
      value: name,
      lead: h("span", { class: "emoji" }, emoji(name)),
    }));
    openMenu(event.currentTarget, {
      items,
      pick: ({ value }) => toggleReaction(channel, message, value),
      label: "React",
    });
  };
  const root = isReply(message) || thread ? message.thread_ts || thread : message.ts;
  return h(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": "Message actions" },
    QUICK.map((name) =>
      h(
        "button",
        {
          type: "button",
          class: "icon-button emoji",
          "aria-label": `React: ${name.replaceAll("_", " ")}`,
          title: `:${name}:`,
          onclick: () => toggleReaction(channel, message, name),
        },
        emoji(name),
      ),
    ),
    iconButton("smile", "Add a reaction", { onclick: pick, "aria-haspopup": "listbox" }),
    !thread &&
      iconButton("reply", "Reply in thread", { onclick: () => go(channel, root), "data-testid": "reply-in-thread" }),
    iconButton("more", "More actions", {
      onclick: (event) => more(event.currentTarget, channel, message),
      "aria-haspopup": "menu",
    }),
  );
}

function more(anchor, channel, message) {
  const suffix = isReply(message) ? `?thread_ts=${message.thread_ts}&cid=${channel}` : "";
  const address = `${location.origin}/archives/${channel}/p${message.ts.replace(".", "")}${suffix}`;
  const items = [
    { label: "Copy link", run: () => navigator.clipboard.writeText(address).then(() => toast("Link copied")) },
    ...store.shortcuts
      .filter((row) => row.type === "message")
      .map((row) => ({
        label: row.name,
        description: "Flagman",
        run: () => act("shortcut", { callback_id: row.callback_id, channel, ts: message.ts }),
      })),
    message.user === store.me.id && { label: "Delete message", danger: true, run: () => remove(channel, message) },
  ].filter(Boolean);
  openMenu(anchor, {
    items,
    pick: (item) => item.run().catch(complain),
    role: "menu",
    label: "More actions",
    filter: false,
  });
}

async function remove(channel, message) {
  const ask = {
    title: "Delete message",
    text: "Are you sure? This cannot be undone.",
    confirm: "Delete",
    deny: "Cancel",
    style: "danger",
  };
  if (await confirmed(ask)) await act("delete", { channel, ts: message.ts });
}
