// The input for messages and commands, with completion of commands and mentions.

import { h, icon, iconButton, avatar } from "../dom.js";
import { store as storeFile } from "../state/api.js";
import { act, appCommand, channelById, channelLabel, complain, store } from "../state/store.js";

const drafts = new Map();
let count = 0;

export class Composer {
  /** `place()` returns {channel, thread}. */
  constructor({ testid, sendId, place }) {
    count += 1;
    this.place = place;
    this.listId = `complete-${count}`;
    this.options = [];
    this.active = 0;
    this.field = h("textarea", {
      class: "composer-field",
      rows: 1,
      "data-testid": testid,
      "aria-autocomplete": "list",
      "aria-controls": this.listId,
      oninput: () => this.changed(),
      onkeydown: (event) => this.key(event),
      onblur: () => this.close(),
      onclick: () => this.complete(),
      spellcheck: "true",
    });
    this.popup = h("div", {
      class: "suggestions",
      id: this.listId,
      role: "listbox",
      "aria-label": "Suggestions",
      hidden: true,
    });
    this.usage = h("div", { class: "usage", hidden: true });
    this.send = h(
      "button",
      {
        type: "button",
        class: "send",
        "aria-label": "Send",
        title: "Send (Enter)",
        "data-testid": sendId,
        disabled: true,
        onclick: () => this.submit(),
      },
      icon("send"),
    );
    const bolt = iconButton("bolt", "Launch an agent (opens a form)", {
      "data-testid": testid === "composer" ? "shortcut" : null,
      onclick: () => this.shortcut(),
    });
    this.files = [];
    this.picker = h("input", {
      type: "file",
      multiple: true,
      hidden: true,
      "data-testid": testid === "composer" ? "files" : "thread-files",
      onchange: () => this.attach([...this.picker.files]),
    });
    this.chips = h("div", { class: "chips", hidden: true });
    const clip = iconButton("clip", "Attach files", { onclick: () => this.picker.click() });
    const at = iconButton("at", "Mention somebody", { onclick: () => this.insert("@") });
    const slash = iconButton("slash", "Commands", {
      onclick: () => {
        if (!this.field.value) this.insert("/");
        this.field.focus();
      },
    });
    const inThread = testid !== "composer";
    this.hint = h(
      "span",
      { class: "composer-hint", "aria-hidden": "true" },
      h("b", {}, "Shift + Enter"),
      " for a new line",
    );
    this.node = h(
      "div",
      { class: "composer" },
      this.popup,
      h(
        "div",
        { class: "composer-box" },
        this.field,
        this.chips,
        this.usage,
        this.picker,
        h(
          "div",
          { class: "composer-bar" },
          inThread ? null : bolt,
          clip,
          at,
          inThread ? null : slash,
          h("span", { class: "grow" }),
          this.hint,
          this.send,
        ),
      ),
    );
  }

  get draftKey() {
    const { channel, thread } = this.place();
    return `${store.me?.id}/${channel}/${thread || ""}`;
  }

  /** Load the draft and the placeholder of another place. */
  moved() {
    const { channel, thread } = this.place();
    const row = channelById(channel);
    const words = thread ? "Reply…" : `Message ${row ? channelLabel(row) : ""}`;
    this.field.placeholder = words;
    this.field.setAttribute("aria-label", thread ? "Reply in the thread" : words);
    this.field.value = drafts.get(this.draftKey) || "";
    this.grow();
    this.close();
    this.showUsage();
  }

  attach(files) {
    this.files.push(...files);
    this.picker.value = "";
    this.showFiles();
    this.field.focus();
  }

  showFiles() {
    this.chips.hidden = !this.files.length;
    this.chips.replaceChildren(
      ...this.files.map((file) =>
        h(
          "span",
          { class: "chip" },
          icon("file", 14),
          file.name,
          iconButton("close", `Remove ${file.name}`, {
            onclick: () => {
              this.files = this.files.filter((other) => other !== file);
              this.showFiles();
            },
          }),
        ),
      ),
    );
    this.send.disabled = !this.ready;
  }

  get ready() {
    return Boolean(this.field.value.trim() || this.files.length);
  }

  fill(text) {
    this.field.value = text;
    this.changed();
    this.close();
    this.field.focus();
    this.field.setSelectionRange(text.length, text.length);
  }

  insert(text) {
    this.field.focus();
    const before = this.field.value.slice(0, this.field.selectionStart);
    this.field.setRangeText(
      before && !/\s$/.test(before) && text === "@" ? ` ${text}` : text,
      this.field.selectionStart,
      this.field.selectionEnd,
      "end",
    );
    this.changed();
  }

  changed() {
    drafts.set(this.draftKey, this.field.value);
    this.grow();
    this.complete();
    this.showUsage();
  }

  grow() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, innerHeight * 0.4)}px`;
    this.send.disabled = !this.ready;
  }

  showUsage() {
    const command = store.commands.find((row) => this.field.value.startsWith(`${row.command} `));
    this.usage.hidden = !command;
    if (command) this.usage.replaceChildren(h("b", {}, command.command), ` ${command.usage_hint}`);
  }

  complete() {
    const before = this.field.value.slice(0, this.field.selectionStart);
    const command = /^\/\S*$/.exec(before);
    const mention = /(?:^|\s)@([\w-]*)$/.exec(before);
    if (command) this.offer(commandOptions(command[0]), 0);
    else if (mention) this.offer(mentionOptions(mention[1].toLowerCase()), before.length - mention[1].length - 1);
    else this.close();
  }

  offer(options, from) {
    this.options = options;
    this.from = from;
    this.active = 0;
    this.popup.hidden = !options.length;
    this.popup.replaceChildren(
      ...options.map((option, n) =>
        h(
          "div",
          {
            class: "suggestion",
            id: `${this.listId}-${n}`,
            role: "option",
            "data-value": option.insert.trim(),
            onpointerdown: (event) => {
              event.preventDefault();
              this.take(n);
            },
          },
          option.lead,
          h("b", {}, option.label),
          h("span", { class: "suggestion-hint" }, option.hint),
          h("span", { class: "grow" }),
          h("span", { class: "suggestion-note" }, option.note),
        ),
      ),
    );
    this.mark(0);
  }

  mark(index) {
    if (!this.options.length) return;
    this.active = (index + this.options.length) % this.options.length;
    [...this.popup.children].forEach((node, n) => {
      node.classList.toggle("active", n === this.active);
      node.setAttribute("aria-selected", String(n === this.active));
    });
    this.popup.children[this.active].scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", `${this.listId}-${this.active}`);
  }

  close() {
    this.options = [];
    this.popup.hidden = true;
    this.field.removeAttribute("aria-activedescendant");
  }

  take(index) {
    const option = this.options[index];
    this.field.setRangeText(option.insert, this.from, this.field.selectionStart, "end");
    this.close();
    this.changed();
  }

  key(event) {
    if (event.isComposing) return;
    const open = this.options.length > 0;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (open && step) {
      event.preventDefault();
      this.mark(this.active + step);
      return;
    }
    if (open && event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.close();
      return;
    }
    // Enter sends an option that is already typed in full, instead of completing it.
    const whole =
      open &&
      this.options[this.active].insert.trim() === this.field.value.slice(this.from, this.field.selectionStart).trim();
    const completes = open && !event.shiftKey && (event.key === "Tab" || (event.key === "Enter" && !whole));
    if (completes) {
      event.preventDefault();
      this.take(this.active);
      return;
    }
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.submit();
    }
  }

  async submit() {
    const text = this.field.value;
    if (!this.ready || this.sending) return;
    const { channel, thread } = this.place();
    const command = /^\/([a-z][\w-]*)(?:\s+([\s\S]*))?$/i.exec(text.trim());
    this.sending = true;
    const files = command ? [] : this.files;
    this.field.value = "";
    if (!command) this.files = [];
    this.changed();
    this.showFiles();
    try {
      if (command)
        await act("command", {
          channel,
          command: `/${command[1]}`,
          text: command[2] || "",
          ...(thread && { thread_ts: thread }),
        });
      else {
        const ids = await Promise.all(files.map((file) => storeFile(store.me.id, file)));
        await act("post", { channel, text, files: ids, ...(thread && { thread_ts: thread }) });
      }
    } catch (error) {
      complain(error);
      const now = this.place();
      if (now.channel === channel && now.thread === thread) {
        if (!this.field.value) this.fill(text);
        if (files.length) this.attach(files);
      }
    } finally {
      this.sending = false;
    }
  }

  shortcut() {
    const { channel } = this.place();
    const command = appCommand();
    act("command", { channel, command, text: "" }).catch(complain);
  }
}

function commandOptions(typed) {
  return store.commands
    .filter((row) => row.command.startsWith(typed.toLowerCase()))
    .map((row) => ({
      insert: `${row.command} `,
      label: row.command,
      hint: row.usage_hint,
      note: row.description,
      lead: avatar(null, 24),
    }));
}

function mentionOptions(typed) {
  const fits = (...names) =>
    names.some((name) =>
      name
        .toLowerCase()
        .split(/\s+/)
        .some((word) => word.startsWith(typed)),
    );
  const bot = store.users.get(store.bot.id);
  const users = [bot, ...store.people].filter((user) => user && fits(user.name, user.real_name));
  const groups = [...store.groups.values()].filter((group) => fits(group.handle));
  return [
    ...users.map((user) => ({
      insert: `@${user.name} `,
      label: user.real_name,
      hint: `@${user.name}`,
      note: user.is_bot ? "App" : "",
      lead: avatar(user, 24),
    })),
    ...groups.map((group) => ({
      insert: `@${group.handle} `,
      label: `@${group.handle}`,
      hint: group.name,
      note: "Group",
    })),
    ...["here", "channel"]
      .filter((range) => fits(range))
      .map((range) => ({ insert: `@${range} `, label: `@${range}`, hint: "Everybody in the channel", note: "" })),
  ];
}
