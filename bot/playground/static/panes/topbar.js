// The top bar: title, state of the bot's connection, switcher and colour scheme.

import { byId, h, icon, iconButton } from "../dom.js";
import { on, store } from "../state/store.js";
import { openSwitcher } from "./switcher.js";

const THEMES = ["auto", "light", "dark"];
const WORDS = { auto: "Theme: as the system has it", light: "Theme: light", dark: "Theme: dark" };
const connection = h("span", { class: "connection", role: "status", "data-testid": "connection" });
const theme = h("span", {});

export function mount() {
  const key = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘K" : "Ctrl K";
  byId("topbar").append(
    h(
      "div",
      { class: "stand-in" },
      h("img", { src: "/playground/static/flag.svg", alt: "", width: 22, height: 22 }),
      h("span", {}, "This is a local stand-in for Slack"),
    ),
    h(
      "button",
      { type: "button", class: "jump", "data-testid": "jump", onclick: openSwitcher },
      icon("search", 15),
      h("span", {}, "Jump to a channel or a person"),
      h("kbd", {}, key),
    ),
    h("div", { class: "topbar-end" }, connection, theme),
  );
  on("connection state", drawConnection);
  setTheme(localStorage.getItem("flagman.theme") || "auto");
}

function drawConnection() {
  const [name, words, short] = !store.online
    ? ["lost", "Playground not reachable, trying again…", "Offline"]
    : store.connected
      ? ["on", "Flagman connected", "Connected"]
      : ["off", "Flagman not connected", "Not connected"];
  if (connection.dataset.state === name) return;
  connection.dataset.state = name;
  connection.dataset.connected = String(store.online && store.connected);
  connection.replaceChildren(
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("span", { class: "long" }, words),
    h("span", { class: "short", "aria-hidden": "true" }, short),
  );
}

function setTheme(name) {
  const chosen = THEMES.includes(name) ? name : "auto";
  document.documentElement.dataset.theme = chosen;
  localStorage.setItem("flagman.theme", chosen);
  const next = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length];
  const had = theme.contains(document.activeElement);
  theme.replaceChildren(
    iconButton(chosen, `${WORDS[chosen]}. Change to ${next}`, {
      "data-testid": "theme",
      onclick: () => setTheme(next),
    }),
  );
  if (had) theme.firstChild.focus();
}
