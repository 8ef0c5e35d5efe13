// Text with hidden and direction-changing characters replaced by markers such as \u200b.

import { EMOJI, HIDDEN, MARKS } from "./characters.js";

const MOST_MARKS = 3;

const group = (ranges) => `[${ranges.replace(/[0-9a-f]+/g, (code) => `\\u{${code}}`).replaceAll(" ", "")}]`;
const [H, M, E] = [HIDDEN, MARKS, EMOJI].map(group);
const SUSPECT = new RegExp(`${H}|${M}`, "u");
const BARE = new RegExp(`[ \\t\\n]|${H}`, "u");
const PIECE = new RegExp(
  `[0-9#*]\\ufe0f\\u20e3|${E}\\ufe0f?(?:\\u200d${E}\\ufe0f?)*|(?<hidden>${H})|(?<marks>${M}+)`,
  "gu",
);

function marker(character) {
  const code = character.codePointAt(0);
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Keep the first combining marks after a letter; replace all others, which would change unrelated characters. */
function marks(run, before) {
  const kept = !before || BARE.test(before) ? 0 : MOST_MARKS;
  return [...run].map((mark, at) => (at < kept ? mark : marker(mark))).join("");
}

/** Replace hidden characters by markers, except newlines, tabs and the joiners inside of an emoji. */
export function visible(text) {
  if (!SUSPECT.test(text)) return text;
  return text.replace(PIECE, (...found) => {
    const [{ hidden, marks: run }, , at] = found.reverse();
    if (hidden) return marker(hidden);
    return run ? marks(run, [...text.slice(Math.max(at - 2, 0), at)].at(-1)) : found.at(-1);
  });
}
