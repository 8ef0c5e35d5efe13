// The main pane: header, messages and composer of a channel; in the app's direct messages also its home tab.

import { Composer } from "./composer.js";
import { avatar, byId, h, icon, iconButton } from "../dom.js";
import { drawHome } from "./home.js";
import { channelLead } from "./lead.js";
import { MessageList } from "./list.js";
import {
  act,
  appCommand,
  channelById,
  channelLabel,
  channelName,
  complain,
  go,
  inView,
  isApp,
  isDirect,
  messagesOf,
  on,
  seen,
  store,
  unread,
} from "../state/store.js";

const EXAMPLE = 'launch sre "check the disk"';
const place = () => ({ channel: store.place.channel, thread: null });

const list = new MessageList({
  label: "Messages",
  id: "message-list",
  intro,
  seen: () => inView(store.place.channel, null) && seen(store.place.channel, null),
});
export const composer = new Composer({ testid: "composer", sendId: "send", place });
const head = h("div", { class: "pane-head" });
const foot = h("div", { class: "pane-foot" });
const homePane = h("div", { class: "home", id: "home", hidden: true });

export function mount() {
  byId("main").append(head, homePane, list.node, foot);
  on("person", () => {
    list.clear();
    newFrom = undefined;
  });
  on("state", () => store.place.channel && draw());
  on("place", ({ moved }) => {
    if (moved) {
      list.clear();
      newFrom = undefined;
      draw();
      composer.moved();
    }
    messages();
  });
  on("messages", ({ channel, thread }) => channel === store.place.channel && !thread && messages());
  on("read", ({ channel, thread }) => thread && channel === store.place.channel && messages());
  on("home", () => store.place.tab === "home" && drawHome(homePane));
  document.addEventListener(
    "visibilitychange",
    () => !document.hidden && list.stuck && store.place.channel && list.toEnd(),
  );
}

export const reveal = (ts) => list.reveal(ts);

/** The `ts` after which the line "New" is drawn; fixed when the channel is opened. */
let newFrom;

function messages() {
  const { channel } = store.place;
  if (!store.channelMessages.has(channel)) return;
  if (newFrom === undefined) newFrom = unread(channel).length ? store.read.get(channel) : null;
  list.update(messagesOf(channel), { channel, thread: null }, newFrom);
}

function draw() {
  const channel = channelById(store.place.channel);
  if (!channel) return;
  const home = isApp(channel) && store.place.tab === "home";
  document.title = `${channelLabel(channel)} · ${store.team.name}`;
  head.replaceChildren(
    h(
      "div",
      { class: "pane-title" },
      iconButton("menu", "Channels and people", {
        class: "only-narrow",
        onclick: () => document.body.classList.toggle("drawer"),
        "data-testid": "drawer",
      }),
      channelLead(channel, 24, 20),
      h("h1", {}, channelName(channel)),
      channel.is_ext_shared && h("span", { class: "badge-app" }, "EXTERNAL"),
      h("span", { class: "purpose" }, channel.purpose),
      !channel.is_im &&
        h(
          "span",
          { class: "members", title: `${channel.num_members} members` },
          icon("people", 16),
          channel.num_members,
        ),
    ),
    isApp(channel) ? tabs(channel) : "",
  );
  homePane.hidden = !home;
  list.node.hidden = home;
  foot.hidden = home;
  if (home) drawHome(homePane);
  foot.replaceChildren(channel.is_archived ? archivedBar() : channel.member ? composer.node : joinBar(channel));
}

function tabs(channel) {
  const one = (tab, label) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        "aria-selected": String(store.place.tab === tab),
        "data-testid": `tab-${tab}`,
        onclick: () => go(channel.id, null, tab),
      },
      label,
    );
  return h(
    "div",
    { class: "tabs", role: "tablist", "aria-label": "Flagman" },
    one("home", "Home"),
    one("messages", "Messages"),
  );
}

const archivedBar = () => h("div", { class: "join" }, "This channel is archived: its messages stay, new ones are not taken.");

function joinBar(channel) {
  return h(
    "div",
    { class: "join" },
    h("span", {}, "You are viewing ", h("b", {}, `#${channel.name}`)),
    h(
      "button",
      { type: "button", class: "button primary", onclick: () => act("join", { channel: channel.id }).catch(complain) },
      "Join channel",
    ),
  );
}

function intro(messages) {
  const channel = channelById(store.place.channel);
  const fresh = !messages.some((message) => message.bot_id && !message.ephemeral);
  return { signature: JSON.stringify([channel, fresh, appCommand()]), build: () => introNode(channel, fresh) };
}

function introNode(channel, fresh) {
  if (isApp(channel)) {
    return h(
      "div",
      { class: "intro" },
      avatar(null, 64),
      h("h2", {}, channel.name),
      h(
        "p",
        {},
        "These are your direct messages with ",
        h("span", { class: "mention" }, `@${channel.name}`),
        ". Messages and commands work here as in any channel.",
      ),
      fresh && example(),
    );
  }
  const alone =
    !channel.bot_member &&
    !isDirect(channel) &&
    h(
      "div",
      { class: "notice" },
      h("span", {}, "Flagman is not in this channel."),
      h(
        "button",
        {
          type: "button",
          class: "button small",
          onclick: () => act("join", { channel: channel.id, member: store.bot.id }).catch(complain),
        },
        "Add Flagman",
      ),
    );
  return h(
    "div",
    { class: "intro" },
    h("h2", {}, channelLead(channel, 28, 28), channelName(channel)),
    h("p", {}, `This is the very beginning of ${channelLabel(channel)}. `, channel.purpose && `${channel.purpose}.`),
    alone,
    fresh && channel.bot_member && example(),
  );
}

function example() {
  const text = `${appCommand()} ${EXAMPLE}`;
  return h(
    "section",
    { class: "try", "aria-label": "Try it" },
    h("h3", {}, "Approve your first action"),
    h(
      "ol",
      {},
      h("li", {}, h("b", {}, "Launch"), " an agent: ", h("code", {}, text)),
      h("li", {}, h("b", {}, "Approve"), " the small command that it proposes; its card appears below."),
      h(
        "li",
        {},
        "Then ",
        h("b", {}, "edit"),
        " a call, answer a question, and ",
        h("b", {}, "deny"),
        " the last one. The thread of the card has it all.",
      ),
    ),
    h(
      "p",
      { class: "try-note" },
      "Where no model is configured, a scripted demo takes you through these steps. ",
      "To decide as somebody else, change who you act as at the foot of the sidebar.",
    ),
    h(
      "div",
      { class: "actions" },
      h(
        "button",
        {
          type: "button",
          class: "button primary",
          "data-testid": "try-launch",
          onclick: () => {
            composer.fill(text);
            composer.submit();
          },
        },
        "Launch it",
      ),
      h("button", { type: "button", class: "button", onclick: () => composer.fill(text) }, "Put it in the message box"),
      h(
        "button",
        { type: "button", class: "button", onclick: () => composer.shortcut() },
        icon("bolt", 16),
        "Use the form instead",
      ),
    ),
  );
}
