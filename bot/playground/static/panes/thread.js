// The pane of one thread: the parent, its replies, a composer.

import { Composer } from "./composer.js";
import { byId, h, iconButton } from "../dom.js";
import { visible } from "../text/visible.js";
import { MessageList } from "./list.js";
import * as api from "../state/api.js";
import { channelById, channelLabel, complain, go, inView, on, repliesOf, seen, store, threadKey } from "../state/store.js";

const current = () => ({ channel: store.place.channel, thread: store.place.thread });
const list = new MessageList({
  label: "Replies",
  id: "thread-list",
  seen: () => inView(store.place.channel, store.place.thread) && seen(store.place.channel, store.place.thread),
});
export const composer = new Composer({ testid: "thread-composer", sendId: "thread-send", place: current });
const where = h("span", { class: "purpose" });
const status = h("div", { class: "typing", "aria-live": "polite", "data-testid": "status" });
let wanted = null;
let opener = null;
let opened = false;

export function mount() {
  const close = iconButton("close", "Close the thread", {
    class: "only-wide",
    onclick: closeThread,
    "data-testid": "close-thread",
  });
  const back = iconButton("back", "Back to the channel", {
    class: "only-narrow",
    onclick: closeThread,
    "data-testid": "thread-back",
  });
  const head = h(
    "div",
    { class: "pane-head" },
    h("div", { class: "pane-title" }, back, h("h2", {}, "Thread"), where, h("span", { class: "grow" }), close),
  );
  byId("thread").append(head, list.node, status, h("div", { class: "pane-foot" }, composer.node));
  on("person", () => list.clear());
  on("place", ({ threadMoved }) => threadMoved && show());
  on(
    "messages",
    ({ channel, thread }) => thread && channel === store.place.channel && thread === store.place.thread && draw(),
  );
  on(
    "status",
    ({ channel, thread }) => channel === store.place.channel && thread === store.place.thread && drawStatus(),
  );
}

export function closeThread() {
  go(store.place.channel, null, store.place.tab);
  if (opener?.isConnected) opener.focus({ preventScroll: true });
}

/** Scroll to a reply once it is loaded. */
export function reveal(ts) {
  wanted = ts;
  if (list.reveal(ts)) wanted = null;
}

function show() {
  const { channel, thread } = store.place;
  const pane = byId("thread");
  const opening = pane.hidden && thread;
  if (opening) opener = document.activeElement;
  pane.hidden = !thread;
  document.body.classList.toggle("with-thread", Boolean(thread));
  list.clear();
  opened = true;
  if (!thread) return;
  const row = channelById(channel);
  where.textContent = row ? visible(channelLabel(row)) : "";
  composer.moved();
  draw();
  drawStatus();
  api
    .status(channel, thread)
    .then(({ status: words, agent }) => {
      store.statuses.set(threadKey(channel, thread), words);
      store.agents.set(threadKey(channel, thread), agent);
      drawStatus();
    })
    .catch(() => {});
  if (opening && matchMedia("(pointer: fine)").matches) composer.field.focus({ preventScroll: true });
}

function draw() {
  const { channel, thread } = store.place;
  if (!store.threads.has(threadKey(channel, thread))) return;
  const replies = repliesOf(channel, thread);
  const first =
    opened &&
    replies.find(
      ({ ts, user }) => ts !== thread && ts > store.read.get(threadKey(channel, thread)) && user !== store.me.id,
    );
  opened = false;
  // New replies are read from the top, so the list does not stick to its end.
  if (first) list.stuck = false;
  list.update(replies, { channel, thread });
  if (first) {
    list.showTop(first.ts);
    seen(channel, thread);
  }
  if (wanted && list.reveal(wanted)) wanted = null;
}

function drawStatus() {
  const key = threadKey(store.place.channel, store.place.thread);
  const working = store.agents.get(key) === "processing";
  const words = store.statuses.get(key) || (working && "is working…");
  status.replaceChildren(
    ...(words
      ? [h("span", { class: "dots", "aria-hidden": "true" }), h("b", {}, store.bot.real_name), ` ${words} `]
      : []),
    ...(working ? [h("button", { class: "link-button", type: "button", onclick: stop, "data-testid": "stop" }, "Stop")] : []),
  );
}

function stop() {
  const { channel, thread } = store.place;
  api
    .act("stop", { user: store.me.id, channel, thread_ts: thread })
    .catch(complain);
}
