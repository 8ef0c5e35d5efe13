// The dialog that asks for confirmation of an action.

import { h } from "../dom.js";
import { mrkdwn } from "../text/mrkdwn.js";
import { textOf } from "../text/text.js";

/** Show Slack's confirm object as a dialog; the promise resolves to true or false. */
export function confirmed(ask) {
  return new Promise((resolve) => {
    const danger = ask.style === "danger";
    const yes = h(
      "button",
      { type: "button", class: `button ${danger ? "danger" : "primary"}`, "data-testid": "confirm-yes" },
      textOf(ask.confirm) || "OK",
    );
    const no = h(
      "button",
      { type: "button", class: "button", "data-testid": "confirm-no" },
      textOf(ask.deny) || "Cancel",
    );
    const text = ask.text?.type === "mrkdwn" ? mrkdwn(ask.text.text, ask.text) : textOf(ask.text);
    const dialog = h(
      "dialog",
      {
        class: "dialog confirm",
        "data-testid": "confirm",
        "aria-labelledby": "confirm-title",
        "aria-describedby": "confirm-text",
      },
      h("h2", { id: "confirm-title" }, textOf(ask.title) || "Are you sure?"),
      h("div", { id: "confirm-text", class: "confirm-text" }, text),
      h("div", { class: "dialog-foot" }, no, yes),
    );
    const end = (answer) => {
      dialog.close();
      dialog.remove();
      resolve(answer);
    };
    yes.addEventListener("click", () => end(true));
    no.addEventListener("click", () => end(false));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      end(false);
    });
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    document.body.append(dialog);
    dialog.showModal();
    (danger ? no : yes).focus();
  });
}
