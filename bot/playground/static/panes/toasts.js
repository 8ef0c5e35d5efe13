// Toasts: short notices at the edge of the page, also announced by screen readers.

import { byId, h, iconButton } from "../dom.js";
import { inline } from "../text/mrkdwn.js";
import { go, inView, on, channelById, channelLabel } from "../state/store.js";

const STAY = 7000;
const recent = new Map();

on("toast", ({ text, key, bad, action }) => show(text, { key, bad, action }));
on("arrived", ({ channel, thread, message, ephemeral }) => {
  if (!ephemeral || inView(channel, thread)) return;
  const row = channelById(channel);
  const words = (message.text || "A message only for you").replace(/\s+/g, " ");
  const where = row ? `${thread ? "Thread in " : ""}${channelLabel(row)}` : "";
  show([h("b", {}, where), " ", inline(words, true)], {
    key: `${message.ts} ${words}`,
    action: { label: "Show", run: () => go(channel, thread) },
  });
});

/** Return the container for toasts; below an open modal dialog the page is inert, so the dialog contains one. */
function host() {
  const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (!dialog) return byId("toasts");
  let box = dialog.querySelector(":scope > .toasts");
  if (!box) {
    box = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    dialog.append(box);
    // Toasts remain when the dialog closes.
    dialog.addEventListener("close", () => byId("toasts").append(...box.childNodes), { once: true });
  }
  return box;
}

function show(text, { key = text, bad = false, action = null }) {
  const now = performance.now();
  if (now - (recent.get(key) ?? -Infinity) < 2500) return;
  recent.set(key, now);
  const gone = () => node.remove();
  const node = h(
    "div",
    { class: `toast${bad ? " bad" : ""}`, "data-testid": "toast" },
    h("div", { class: "toast-text" }, text),
    action &&
      h(
        "button",
        {
          type: "button",
          class: "link-button",
          onclick: () => {
            action.run();
            gone();
          },
        },
        action.label,
      ),
    iconButton("close", "Dismiss", { onclick: gone }),
  );
  host().append(node);
  let timer = setTimeout(gone, STAY);
  node.addEventListener("pointerenter", () => clearTimeout(timer));
  node.addEventListener("focusin", () => clearTimeout(timer));
  node.addEventListener("pointerleave", () => {
    timer = setTimeout(gone, STAY);
  });
}
