// State of the page: the acting person, the workspace and all messages read. Other modules listen for changes.

import * as api from "./api.js";
import { setZone } from "../text/dates.js";
import { fold, isReply, Memory } from "./remember.js";

export const store = {
  me: null,
  team: null,
  bot: null,
  users: new Map(),
  people: [],
  groups: new Map(),
  channels: [],
  commands: [],
  shortcuts: [],
  connected: false,
  online: true,
  place: { channel: null, thread: null, tab: "messages" },
  channelMessages: new Map(),
  threads: new Map(),
  statuses: new Map(),
  agents: new Map(),
  views: [],
  home: null,
  read: new Memory(),
};
export const bus = new EventTarget();
const emit = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));
export const on = (names, listener) =>
  names.split(" ").forEach((name) => bus.addEventListener(name, ({ detail }) => listener(detail)));
// The command is empty until the state has been read.
export const appCommand = () => store.commands[0]?.command ?? "";
export const channelById = (id) => store.channels.find((channel) => channel.id === id);
export const isDirect = (channel) => channel.is_im || channel.is_mpim;
/** Return whether these are the direct messages with the app, which have its home tab. */
export const isApp = (channel) => channel.is_im && channel.user === store.bot?.id;
/** Return a channel's name; group messages such as `mpdm-ada--grace-1` are named by their members. */
export const channelName = (channel) =>
  channel.is_mpim ? channel.name.replace(/^mpdm-/, "").replace(/-\d+$/, "").replaceAll("--", ", ") : channel.name;
export const channelLabel = (channel) => (isDirect(channel) ? channelName(channel) : `#${channel.name}`);
export const threadKey = (channel, ts) => `${channel}:${ts}`;
const sorted = (map) => [...(map?.values() || [])].sort((a, b) => (a.ts < b.ts ? -1 : 1));
export const messagesOf = (channel) => sorted(store.channelMessages.get(channel));
export const repliesOf = (channel, ts) => sorted(store.threads.get(threadKey(channel, ts)));
export const inView = (channel, thread) =>
  !document.hidden &&
  store.place.channel === channel &&
  (thread ? store.place.thread === thread : store.place.tab === "messages");

let hangUp = () => {};

/** Change the acting person, with their time zone, channels and stream. */
export async function actAs(user) {
  hangUp();
  Object.assign(store, { channelMessages: new Map(), threads: new Map(), statuses: new Map(), agents: new Map(), views: [], home: null });
  store.read = new Memory(user);
  localStorage.setItem("flagman.user", user);
  take(await api.state(user));
  emit("person");
  await refresh();
  listen(user);
}

function take(state) {
  store.me = state.me;
  setZone(state.me?.tz);
  store.team = state.team;
  store.bot = state.bot;
  store.users = new Map(state.users.map((user) => [user.id, user]));
  store.people = state.users.filter((user) => !user.is_bot && !user.deleted);
  store.groups = new Map(state.usergroups.map((group) => [group.id, group]));
  Object.assign(store, {
    channels: state.channels,
    commands: state.commands,
    shortcuts: state.shortcuts || [],
    connected: state.connected,
  });
  emit("state");
}

/** Read all data on the page again. */
export async function refresh() {
  const user = store.me.id;
  take(await api.state(user));
  const { channel, thread } = store.place;
  await Promise.all([
    ...store.channels.map((row) => load(row.id)),
    ...(thread ? [load(channel, thread)] : []),
    upToDate("views", () => api.views(user)).then(({ views }) => store.me.id === user && showViews(views)),
  ]);
}

// Counts stream events; an answer requested before an event arrived may be older than what is shown.
const news = { messages: 0, views: 0 };

/** Call `read` until no event arrives between the request and its answer. */
async function upToDate(kind, read) {
  for (;;) {
    const before = news[kind];
    const answer = await read();
    if (news[kind] === before) return answer;
  }
}

async function load(channel, thread) {
  const user = store.me.id;
  const { messages } = await upToDate("messages", () => api.messages(user, channel, thread));
  if (store.me.id !== user) return;
  const found = new Map(messages.map((message) => [message.ts, message]));
  if (thread) store.threads.set(threadKey(channel, thread), found);
  else store.channelMessages.set(channel, found);
  emit("messages", { channel, thread });
}

function showViews(views) {
  store.views = views;
  emit("views");
}

function listen(user) {
  let dropped = false;
  const online = (value) => {
    if (store.online === value) return;
    store.online = value;
    emit("connection");
  };
  hangUp = api.stream(
    user,
    {
      message: (told) => arrived(told, false),
      ephemeral: (told) => arrived(told, true),
      view: ({ views }) => {
        news.views += 1;
        showViews(views);
      },
      home: ({ view }) => {
        store.home = view;
        emit("home");
      },
      connection: ({ connected }) => {
        store.connected = connected;
        emit("connection");
      },
      status: ({ channel, thread_ts, status }) => {
        store.statuses.set(threadKey(channel, thread_ts), status);
        emit("status", { channel, thread: thread_ts });
      },
      agent: ({ channel, thread_ts, agent }) => {
        store.agents.set(threadKey(channel, thread_ts), agent);
        emit("status", { channel, thread: thread_ts });
      },
      channel: () => refresh().catch(complain),
      toast: (told) => emit("toast", { text: told.text, key: told.code, bad: true }),
      reset: () => refresh().catch(complain),
    },
    {
      up: () => {
        online(true);
        // Events may have been missed before the stream opened or while it was interrupted.
        refresh().catch(complain);
        dropped = false;
      },
      down: () => {
        if (dropped) online(false);
        dropped = true;
        setTimeout(() => dropped && online(false), 1500);
      },
    },
  );
}

function arrived({ change, channel, ts, thread_ts, message }, ephemeral) {
  news.messages += 1;
  const thread = thread_ts && thread_ts !== ts ? thread_ts : null;
  const shown = message && ephemeral ? { ...message, ephemeral: true } : message;
  const top = store.channelMessages.get(channel);
  if (top && (!thread || shown?.subtype === "thread_broadcast" || top.has(ts))) fold(top, ts, shown);
  const replies = store.threads.get(threadKey(channel, thread || ts));
  if (replies && (thread || replies.has(ts))) fold(replies, ts, shown);
  emit("messages", { channel, thread: null });
  emit("messages", { channel, thread: thread || ts });
  if (change !== "posted" || message?.user === store.me.id) return;
  emit("arrived", { channel, thread, message: shown, ephemeral });
}

/** Open a channel, optionally with a thread. */
export function go(channel, thread = null, tab = "messages") {
  const before = store.place;
  const moved = before.channel !== channel || before.tab !== tab;
  store.place = { channel, thread, tab };
  localStorage.setItem("flagman.place", `${channel}/${thread || ""}`);
  emit("place", { moved, threadMoved: moved || before.thread !== thread });
  if (thread && !store.threads.has(threadKey(channel, thread))) load(channel, thread).catch(complain);
  if (moved && isApp(channelById(channel) || {})) openHome(tab);
}

function openHome(tab) {
  act("home", { tab })
    .then(({ view }) => {
      if (view) {
        store.home = view;
        emit("home");
      }
    })
    .catch(complain);
}

/** Call the control API as the acting person. */
export const act = (path, body) => api.act(path, { user: store.me.id, ...body });

export const toast = (text, more = {}) => emit("toast", { text, ...more });
export const complain = (error) => {
  if (!error.code) console.error(error);
  toast(error.message, { bad: true, key: error.code });
};

/** Return the messages of others that are newer than the last one read. */
export function unread(channel) {
  const since = store.read.get(channel);
  return messagesOf(channel).filter(
    (message) => message.ts > since && message.user !== store.me.id && !isReply(message),
  );
}

/** Return whether a message mentions the acting person, one of their groups, or everybody. */
export function callsMe({ text = "" }) {
  const groups = [...store.groups.values()]
    .filter(({ users }) => users.includes(store.me.id))
    .map(({ id }) => `<!subteam^${id}`);
  return [`<@${store.me.id}`, "<!here", "<!channel", "<!everyone", ...groups].some((mark) => text.includes(mark));
}

export function unreadReplies(channel, message) {
  const seen = store.read.get(threadKey(channel, message.ts));
  return (
    Boolean(message.latest_reply) &&
    message.latest_reply > seen &&
    !(message.reply_users?.length === 1 && message.reply_users[0] === store.me.id)
  );
}

/** Mark the newest message of a channel or thread as read. */
export function seen(channel, thread) {
  const last = (thread ? repliesOf(channel, thread) : messagesOf(channel)).at(-1)?.ts;
  if (last && store.read.put(thread ? threadKey(channel, thread) : channel, last)) emit("read", { channel, thread });
}
