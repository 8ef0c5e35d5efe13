// Times in the acting person's time zone, worded as Slack does.

let zone = "UTC";
const formats = new Map();

export function setZone(name) {
  zone = name || "UTC";
  formats.clear();
}
export const currentZone = () => zone;

function format(options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-US", { timeZone: zone, ...options }));
  return formats.get(key);
}

const dateOf = (seconds) => new Date(seconds * 1000);
// `visible` would mark the narrow no-break space before AM and PM.
const say = (seconds, options) => format(options).format(dateOf(seconds)).replaceAll("\u202f", " ");
export const seconds = (ts) => Number.parseFloat(ts);

export const time = (at) => say(at, { hour: "numeric", minute: "2-digit" });
export const fullTime = (at) =>
  say(at, {
    weekday: "long",
    month: "long",
    day: "numeric",
    year: "numeric",
    hour: "numeric",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  });
export const timeWithoutHalf = (at) => time(at).replace(/\s?[AP]M$/, "");

/** Return a key that is equal for times of the same day in the acting person's zone. */
export const dayKey = (at) => say(at, { year: "numeric", month: "2-digit", day: "2-digit" });

const now = () => Date.now() / 1000;

function relativeDay(at) {
  const day = dayKey(at);
  if (day === dayKey(now())) return "today";
  if (day === dayKey(now() - 86400)) return "yesterday";
  if (day === dayKey(now() + 86400)) return "tomorrow";
  return null;
}

function ordinal(day) {
  const teen = day % 100 > 10 && day % 100 < 14;
  return `${day}${teen ? "th" : ["th", "st", "nd", "rd"][day % 10] || "th"}`;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function longDay(at, { weekday = false, year = false } = {}) {
  const month = say(at, { month: "long" });
  const head = weekday ? `${say(at, { weekday: "long" })}, ` : "";
  return `${head}${month} ${ordinal(Number(say(at, { day: "numeric" })))}${year ? `, ${say(at, { year: "numeric" })}` : ""}`;
}

/** Return the label of a divider between days. */
export function dividerDay(at) {
  const near = relativeDay(at);
  return near
    ? capital(near)
    : longDay(at, { weekday: true, year: say(at, { year: "numeric" }) !== say(now(), { year: "numeric" }) });
}

/** Return a day and time such as "today at 4:14 AM" or "Nov 24th at 4:14 AM". */
export function dayAndTime(at) {
  return `${relativeDay(at) || longDay(at)} at ${time(at)}`;
}

function ago(at) {
  const passed = now() - at;
  const size = Math.abs(passed);
  const [count, unit] = [
    [86400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ]
    .map(([length, name]) => [Math.floor(size / length), name])
    .find(([n]) => n > 0) || [0, "second"];
  const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return passed >= 0 ? `${words} ago` : `in ${words}`;
}

const short = { month: "short", day: "numeric", year: "numeric" };
const TOKENS = {
  date_num: (at) =>
    [say(at, { year: "numeric" }), say(at, { month: "2-digit" }), say(at, { day: "2-digit" })].join("-"),
  date_slash: (at) => say(at, { year: "numeric", month: "2-digit", day: "2-digit" }),
  date: (at) => longDay(at, { year: true }),
  date_short: (at) => say(at, short),
  date_long: (at) => longDay(at, { weekday: true, year: true }),
  date_pretty: (at) => relativeDay(at) || longDay(at, { year: true }),
  date_short_pretty: (at) => relativeDay(at) || say(at, short),
  date_long_pretty: (at) => relativeDay(at) || longDay(at, { weekday: true, year: true }),
  day_divider_pretty: (at) => dividerDay(at),
  time,
  time_secs: (at) => say(at, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago,
};

/** Return a time in Slack's `<!date^…>` format, or null if the time is invalid. */
export function formatted(at, pattern) {
  if (!Number.isFinite(at) || Math.abs(at) > 1e11) return null;
  const text = pattern.replace(/\{(\w+)\}/g, (whole, token) => (TOKENS[token] ? TOKENS[token](at) : whole));
  return /^\{\w+_pretty\}/.test(pattern) ? capital(text) : text;
}

/** Return a local time in the person's zone (`2026-11-25T09:00`) as epoch seconds, or null if it is invalid. */
export function fromWall(text) {
  const wall = Date.parse(`${text}Z`) / 1000;
  if (!Number.isFinite(wall)) return null;
  let guess = wall;
  for (let turn = 0; turn < 2; turn += 1) guess = wall - (Date.parse(`${toWall(guess)}Z`) / 1000 - guess);
  return Math.round(guess);
}

export function toWall(at) {
  const parts = Object.fromEntries(
    format({ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
      .formatToParts(dateOf(at))
      .map(({ type, value }) => [type, value]),
  );
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}
