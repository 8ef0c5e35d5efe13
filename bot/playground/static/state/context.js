// The message or view that contains an element; it stores what was filled in and sends clicks.

import { act } from "./store.js";

const contexts = new Map();

class Context {
  constructor(key, target) {
    this.key = key;
    this.target = target;
    this.values = {};
    this.pending = new Set();
    this.root = null;
  }

  get(block, action) {
    return this.values[block]?.[action];
  }

  set(block, action, state) {
    (this.values[block] ||= {})[action] = state;
  }

  act(element, block, chosen) {
    return act("action", {
      ...this.target,
      action_id: element.action_id,
      block_id: block.block_id,
      ...chosen,
      state: this.values,
    });
  }

  suggest(element, block, value) {
    return act("suggest", { ...this.target, action_id: element.action_id, block_id: block.block_id, value });
  }

  /** End the busy state of a button after its click; the button may have been redrawn meanwhile. */
  settled(key) {
    for (const node of this.root?.querySelectorAll("[aria-busy=true]") || []) {
      if (`${node.dataset.blockId}/${node.dataset.actionId}` !== key) continue;
      node.setAttribute("aria-disabled", "false");
      node.setAttribute("aria-busy", "false");
    }
  }
}

function once(key, target) {
  if (!contexts.has(key)) contexts.set(key, new Context(key, target));
  return contexts.get(key);
}

export const ofMessage = (channel, message) =>
  once(`${channel}/${message.ts}`, { channel, ts: message.ts, ...(message.ephemeral && { ephemeral: true }) });
export const ofView = (view) => once(view.id, { view_id: view.id });
export const forget = () => contexts.clear();
