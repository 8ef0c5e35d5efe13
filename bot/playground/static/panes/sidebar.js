// The sidebar: channels, the app, and the choice of the acting person.

import { time } from "../text/dates.js";
import { avatar, byId, h } from "../dom.js";
import { channelLead } from "./lead.js";
import { visible } from "../text/visible.js";
import { actAs, callsMe, channelName, complain, go, isApp, isDirect, on, store, unread } from "../state/store.js";

const channels = h("div", { class: "channels" });
const people = h("div", { class: "act-as" });

export function mount() {
  byId("sidebar").append(
    h("div", { class: "workspace" }, h("h2", { id: "workspace-name" }, "Flagman playground")),
    channels,
    people,
  );
  byId("scrim").addEventListener("click", closeDrawer);
  on("state place messages read connection", () => store.me && drawChannels());
  on("state", drawPeople);
  setInterval(() => store.me && drawClock(), 20_000);
}

export function closeDrawer() {
  document.body.classList.remove("drawer");
}

export function switchTo(user) {
  closeDrawer();
  actAs(user).catch(complain);
}

let drawn = "";

function drawChannels() {
  const rows = store.channels.map((channel) => {
    const fresh = unread(channel.id);
    const called = isDirect(channel) ? fresh.length : fresh.filter(callsMe).length;
    return { channel, count: fresh.length, called, here: channel.id === store.place.channel };
  });
  const now = JSON.stringify([rows, store.connected, store.me.id]);
  if (now === drawn) return;
  drawn = now;
  byId("workspace-name").textContent = visible(store.team.name);
  const direct = rows.filter(({ channel }) => isDirect(channel) && !isApp(channel));
  const focused = channels.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
  channels.replaceChildren(
    h("h3", { id: "nav-channels" }, "Channels"),
    h("ul", { "aria-labelledby": "nav-channels" }, rows.filter(({ channel }) => !isDirect(channel)).map(item)),
    ...(direct.length
      ? [
          h("h3", { id: "nav-direct" }, "Direct messages"),
          h("ul", { "aria-labelledby": "nav-direct" }, direct.map(item)),
        ]
      : []),
    h("h3", { id: "nav-apps" }, "Apps"),
    h("ul", { "aria-labelledby": "nav-apps" }, rows.filter(({ channel }) => isApp(channel)).map(item)),
  );
  if (focused) channels.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
  const total = rows.reduce((sum, row) => sum + (row.here ? 0 : row.count), 0);
  document.title = document.title.replace(/^\(\d+\) /, "").replace(/^/, total ? `(${total}) ` : "");
}

function item({ channel, count, called, here }) {
  const lead = isApp(channel)
    ? h(
        "span",
        { class: "with-presence" },
        avatar(null, 20),
        h("span", { class: `presence${store.connected ? " on" : ""}` }),
      )
    : channelLead(channel, 20, 16);
  const fresh = count > 0 && !here;
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        class: `channel${fresh ? " unread" : ""}${channel.member ? "" : " outside"}`,
        "aria-current": here ? "page" : null,
        "data-testid": `channel-${channel.name.toLowerCase()}`,
        "data-unread": fresh ? count : null,
        onclick: () => {
          closeDrawer();
          go(channel.id);
        },
      },
      lead,
      h("span", { class: "channel-name" }, channelName(channel)),
      fresh && called > 0 && h("span", { class: "count", "aria-label": `${called} mentions` }, called),
    ),
  );
}

function drawPeople() {
  const now = h(
    "div",
    { class: "act-now" },
    avatar(store.me, 36),
    h(
      "div",
      {},
      h("div", { class: "act-name", "data-testid": "acting-as" }, store.me.real_name),
      h("div", { class: "act-clock" }),
    ),
  );
  const one = (user) => {
    const mine = user.id === store.me.id;
    return h(
      "button",
      {
        type: "button",
        role: "radio",
        class: "face",
        "aria-checked": String(mine),
        tabindex: mine ? "0" : "-1",
        "data-testid": `act-as-${user.name}`,
        "data-user": user.id,
        "aria-label": user.real_name,
        title: `Act as ${user.real_name}`,
        onclick: () => switchTo(user.id),
      },
      avatar(user, 32),
    );
  };
  const had = people.contains(document.activeElement);
  const group = h(
    "div",
    {
      class: "faces-row",
      role: "radiogroup",
      "aria-labelledby": "act-as-label",
      "data-testid": "act-as",
      onkeydown: walk,
    },
    store.people.map(one),
  );
  people.replaceChildren(h("h3", { id: "act-as-label" }, "Act as"), group, now);
  if (had) group.querySelector("[aria-checked=true]")?.focus();
  drawClock();
}

/** Move and choose with the arrow keys, as in a group of radio buttons. */
function walk(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = store.people.findIndex((user) => user.id === store.me.id);
  switchTo(store.people[(at + step + store.people.length) % store.people.length].id);
}

function drawClock() {
  const line = people.querySelector(".act-clock");
  if (line) line.textContent = `${time(Date.now() / 1000)} · ${store.me.tz.split("/").at(-1).replaceAll("_", " ")}`;
}
