// Entry point of the page: the acting person, the place shown, keyboard shortcuts and links.

import * as api from "./state/api.js";
import * as channel from "./panes/channel.js";
import { forget } from "./state/context.js";
import { byId, h } from "./dom.js";
import "./panes/modal.js";
import * as sidebar from "./panes/sidebar.js";
import { actAs, channelById, complain, go, isApp, on, store } from "./state/store.js";
import { openSwitcher } from "./panes/switcher.js";
import * as thread from "./panes/thread.js";
import "./panes/toasts.js";
import * as topbar from "./panes/topbar.js";

/** Return the place that `/archives/C…/p1795…?thread_ts=…` or `#C…/ts` names, or null for any other address. */
function placeOf(url) {
  const archive = /^\/archives\/([CDG]\w+)(?:\/p(\d{10})(\d{6}))?/.exec(url.pathname);
  if (archive) {
    const [, id, whole, rest] = archive;
    return { id, thread: url.searchParams.get("thread_ts"), ts: whole ? `${whole}.${rest}` : null };
  }
  const hash = /^#([CDG]\w+)(?:\/([\d.]+))?$/.exec(url.hash);
  return hash && { id: hash[1], thread: hash[2] || null, ts: null };
}

function visit({ id, thread: root, ts }) {
  if (!channelById(id)) return;
  go(id, root);
  if (!ts) return;
  if (root) thread.reveal(ts);
  else channel.reveal(ts);
}

/** Open a link to the playground itself within the page. */
function followed(event) {
  const anchor = event.target.closest?.("a[href]");
  if (!anchor || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey) return;
  const url = new URL(anchor.href, location.href);
  const loopback = ["127.0.0.1", "localhost", "[::1]", location.hostname];
  if (url.port !== location.port || !loopback.includes(url.hostname)) return;
  const place = placeOf(url);
  if (!place || anchor.classList.contains("skip")) return;
  event.preventDefault();
  visit(place);
}

function keys(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openSwitcher();
  } else if (
    event.key === "Escape" &&
    !event.defaultPrevented &&
    !document.querySelector("dialog[open], [popover]:popover-open")
  ) {
    if (document.body.classList.contains("drawer")) sidebar.closeDrawer();
    else if (store.place.thread) thread.closeThread();
  }
}

function remembered() {
  const [id, root] = (localStorage.getItem("flagman.place") || "").split("/");
  return { id, thread: root || null, ts: null };
}

/** Show a place that the new acting person can see; their own direct messages replace those of the former one. */
function settle() {
  const was = store.place;
  store.place = { channel: null, thread: null, tab: "messages" };
  if (channelById(was.channel)) return go(was.channel, was.thread, was.tab);
  const direct = was.channel?.startsWith("D") && store.channels.find(isApp);
  return go((direct || store.channels[0]).id, null, direct ? was.tab : "messages");
}

async function start() {
  const { users } = await api.state();
  const people = users.filter((user) => !user.is_bot && !user.deleted);
  const before = localStorage.getItem("flagman.user");
  sidebar.mount();
  topbar.mount();
  channel.mount();
  thread.mount();
  on("person", () => {
    forget();
    settle();
  });
  on("place", ({ moved, threadMoved }) => {
    const address = `#${store.place.channel}${store.place.thread ? `/${store.place.thread}` : ""}`;
    const path = location.pathname.startsWith("/archives/") ? "/" : location.pathname;
    if (moved || threadMoved)
      history[location.hash === address ? "replaceState" : "pushState"](null, "", path + address);
  });
  const wanted = placeOf(new URL(location.href)) || remembered();
  store.place = { channel: wanted.id || null, thread: wanted.thread, tab: "messages" };
  await actAs((people.find((user) => user.id === before) || people[0]).id);
  if (wanted.ts) visit(wanted);
  addEventListener("popstate", () => {
    const place = placeOf(new URL(location.href));
    if (place && (place.id !== store.place.channel || place.thread !== store.place.thread)) visit(place);
  });
  document.addEventListener("click", followed);
  document.addEventListener("keydown", keys);
  if (!store.place.thread && matchMedia("(pointer: fine)").matches) channel.composer.field.focus();
  document.body.dataset.ready = "true";
}

start().catch((error) => {
  complain(error);
  byId("main").append(h("p", { class: "home-empty" }, `The playground did not start: ${error.message}`));
});
