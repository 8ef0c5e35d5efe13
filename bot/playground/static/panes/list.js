// A list of messages whose updates keep unchanged nodes, the focus and the scroll position.

import { dayKey, dividerDay, seconds } from "../text/dates.js";
import { byId, h } from "../dom.js";
import { author, messageNode } from "./message.js";
import { store, unreadReplies } from "../state/store.js";

const GROUP_SECONDS = 300;
const NEAR = 80;

export class MessageList {
  /** `seen` is called whenever the newest messages are visible. */
  constructor({ label, id, intro, seen }) {
    this.rows = new Map();
    this.intro = intro;
    this.seen = seen;
    this.stuck = true;
    this.last = "";
    this.inner = h("div", {
      class: "list-inner",
      role: "log",
      "aria-live": "polite",
      "aria-relevant": "additions",
      "aria-label": label,
    });
    this.scroller = h("div", { class: "list", id, tabindex: "-1" }, this.inner);
    this.pill = h(
      "button",
      {
        type: "button",
        class: "new-pill",
        "data-testid": id === "message-list" ? "new-messages" : "new-replies",
        hidden: true,
        onclick: () => this.toEnd(),
      },
      "↓ New messages",
    );
    this.node = h("div", { class: "list-box" }, this.scroller, this.pill);
    this.scroller.addEventListener("scroll", () => this.scrolled());
    this.inner.addEventListener("keydown", (event) => this.walk(event));
    // Content that grows later, such as an image, must not push the end of the list out of view.
    new ResizeObserver(() => this.stuck && this.toEnd()).observe(this.inner);
    new ResizeObserver(() => this.stuck && this.toEnd()).observe(this.scroller);
  }

  clear() {
    this.rows.clear();
    this.inner.replaceChildren();
    this.stuck = true;
    this.last = "";
    this.pill.hidden = true;
  }

  scrolled() {
    this.stuck = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < NEAR;
    if (this.stuck) {
      this.pill.hidden = true;
      this.seen();
    }
  }

  toEnd() {
    this.stuck = true;
    this.pill.hidden = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.seen();
  }

  /** Show the messages; `place` is {channel, thread}, and a line is drawn before the first one after `newFrom`. */
  update(messages, place, newFrom = null) {
    const wanted = this.items(messages, place, newFrom);
    const keep = new Set(wanted.map(({ key }) => key));
    const focused = this.focused();
    for (const [key, row] of this.rows) {
      if (!keep.has(key)) {
        row.node.remove();
        this.rows.delete(key);
      }
    }
    let at = this.inner.firstChild;
    for (const { key, signature, build } of wanted) {
      const row = this.rows.get(key);
      let node = row?.node;
      if (!row || row.signature !== signature) {
        const fresh = build();
        if (node) {
          if (node === at) at = fresh;
          node.replaceWith(fresh);
        }
        node = fresh;
        this.rows.set(key, { signature, node });
      }
      if (node === at) at = at.nextSibling;
      else this.inner.insertBefore(node, at);
    }
    this.refocus(focused);
    this.settle(messages);
  }

  settle(messages) {
    const newest = messages.at(-1);
    const grown = newest && newest.ts > this.last;
    const others = grown && this.last && newest.user !== store.me.id;
    this.last = newest?.ts || this.last;
    if (this.stuck || (grown && newest.user === store.me.id && !newest.ephemeral)) this.toEnd();
    else if (others) this.pill.hidden = false;
  }

  items(messages, place, newFrom) {
    const items = [];
    const put = (key, signature, build) => items.push({ key, signature: String(signature), build });
    if (this.intro) {
      const { signature, build } = this.intro(messages);
      put("intro", signature, build);
    }
    let before = null;
    let marked = !newFrom || newFrom === "0";
    for (const message of messages) {
      const at = seconds(message.ts);
      const day = dayKey(at);
      const newDay = !before || dayKey(seconds(before.ts)) !== day;
      if (newDay && !place.thread)
        put(`day ${day}`, dividerDay(at), () =>
          h("div", { class: "day", role: "separator" }, h("span", {}, dividerDay(at))),
        );
      if (!marked && message.ts > newFrom && message.user !== store.me.id) {
        marked = true;
        put("new", "", () =>
          h("div", { class: "new-line", role: "separator", "aria-label": "New" }, h("span", {}, "New")),
        );
      }
      const grouped = !newDay && follows(before, message) && !(place.thread && before.ts === place.thread);
      const fresh = unreadReplies(place.channel, message);
      put(message.ts, `${grouped} ${fresh} ${JSON.stringify(message)}`, () =>
        messageNode(message, { ...place, grouped }),
      );
      if (place.thread && message.ts === place.thread) {
        const count = messages.filter((row) => !row.ephemeral).length - 1;
        put("count", count, () =>
          h(
            "div",
            { class: "reply-count", role: "separator" },
            h("span", {}, `${count} ${count === 1 ? "reply" : "replies"}`),
          ),
        );
      }
      before = message;
    }
    return items;
  }

  focused() {
    const node = document.activeElement;
    const message = this.inner.contains(node) ? node.closest("article") : null;
    if (!message) return null;
    return { ts: message.dataset.ts, action: node.dataset.actionId, block: node.dataset.blockId, node };
  }

  refocus(was) {
    if (!was || was.node.isConnected) return;
    const message = this.rows.get(was.ts)?.node;
    if (!message) {
      byId("main").focus?.();
      return;
    }
    const same =
      was.action &&
      [...message.querySelectorAll("[data-action-id]")].find(
        (node) => node.dataset.actionId === was.action && node.dataset.blockId === was.block,
      );
    (same || message).focus({ preventScroll: true });
  }

  walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.tagName !== "ARTICLE") return;
    const all = [...this.inner.querySelectorAll("article")];
    const next = all[all.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  /** Scroll so that a message begins at the top, if there is enough content below it. */
  showTop(ts) {
    const node = this.rows.get(ts)?.node;
    if (node) this.scroller.scrollTop = node.offsetTop - 8;
  }

  /** Scroll to a message and highlight it; return false if it is not in the list. */
  reveal(ts) {
    const node = this.rows.get(ts)?.node;
    if (!node) return false;
    this.stuck = false;
    node.scrollIntoView({ block: "center" });
    node.classList.remove("found");
    void node.offsetWidth;
    node.classList.add("found");
    node.focus({ preventScroll: true });
    return true;
  }
}

/** Return whether a message is shown below the one before it without repeating the author. */
function follows(before, message) {
  return (
    author(before).real_name === author(message).real_name &&
    before.user === message.user &&
    seconds(message.ts) - seconds(before.ts) < GROUP_SECONDS &&
    !before.reply_count &&
    Boolean(before.ephemeral) === Boolean(message.ephemeral) &&
    !message.subtype &&
    !before.subtype
  );
}
