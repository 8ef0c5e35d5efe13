// What a person has read, stored in this browser, and the effect of stream events on a map of messages.

export const isReply = (message) =>
  Boolean(message.thread_ts) && message.thread_ts !== message.ts && message.subtype !== "thread_broadcast";

export function fold(map, ts, message) {
  if (message) map.set(ts, message);
  else map.delete(ts);
}

const KEPT = 500;

/** The newest `ts` read, by channel or thread. */
export class Memory {
  constructor(user = null) {
    this.key = user && `flagman.read.${user}`;
    this.seen = {};
    try {
      this.seen = JSON.parse((this.key && localStorage.getItem(this.key)) || "{}");
    } catch {
      // The entry is not readable, so everything counts as unread.
    }
  }

  get(place) {
    return this.seen[place] || "0";
  }

  /** Store `ts` as read; return false if it is not newer. */
  put(place, ts) {
    if (ts <= this.get(place)) return false;
    this.seen[place] = ts;
    const rows = Object.entries(this.seen)
      .sort((a, b) => (a[1] < b[1] ? 1 : -1))
      .slice(0, KEPT);
    this.seen = Object.fromEntries(rows);
    if (this.key) localStorage.setItem(this.key, JSON.stringify(this.seen));
    return true;
  }
}
