// Client of the control API; a rejection is thrown as an Error whose message is meant for people.

const BASE = "/playground";

export class Refusal extends Error {
  constructor(code, message, body) {
    super(message);
    this.code = code;
    this.body = body;
  }
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch {
    throw new Refusal("offline", "The playground cannot be reached. Is it still running?", {});
  }
  let body = {};
  try {
    body = await response.json();
  } catch {
    // The body is not JSON, so the status alone describes the error.
  }
  if (!response.ok || body.ok === false) {
    const code = body.error || `http_${response.status}`;
    throw new Refusal(code, body.message || `That did not work (${code}).`, body);
  }
  return body;
}

const get = (path, query) => answer(fetch(`${BASE}/${path}?${new URLSearchParams(query)}`, { cache: "no-store" }));
const post = (path, body) =>
  answer(
    fetch(`${BASE}/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  );

/** Store a file, and return its id, by which a message takes it along. */
export const store = (user, file) =>
  answer(
    fetch(`${BASE}/files?${new URLSearchParams({ user, name: file.name })}`, { method: "POST", body: file }),
  ).then((body) => body.file.id);
export const state = (user) => get("state", user ? { user } : {});
export const views = (user) => get("views", { user });
export const messages = (user, channel, thread_ts = "") =>
  get("messages", { user, channel, ...(thread_ts && { thread_ts }), limit: 500 });
export const status = (channel, thread_ts) => get("status", { channel, thread_ts });
export const act = (path, body) => post(path, body);

/** Open the stream of a person; `listeners` maps event names to functions, `up` and `down` report the connection. */
export function stream(user, listeners, { up, down }) {
  const source = new EventSource(`${BASE}/stream?user=${encodeURIComponent(user)}`);
  source.addEventListener("open", up);
  source.addEventListener("error", down);
  for (const [name, listener] of Object.entries(listeners)) {
    source.addEventListener(name, (event) => listener(JSON.parse(event.data)));
  }
  return () => source.close();
}
