// The acting person's open modals, of which the top one is shown.

import { blockKit, clearError, showErrors } from "../blocks/blockkit.js";
import { ofView } from "../state/context.js";
import { h, iconButton } from "../dom.js";
import { act, complain, on, store, toast } from "../state/store.js";
import { textOf } from "../text/text.js";

let dialog = null;
let opener = null;

on("views person", () => draw());

function draw() {
  const view = store.views.at(-1);
  if (!view) {
    shut();
    return;
  }
  if (dialog?.dataset.viewId === view.id && dialog.dataset.hash === view.hash) return;
  const focus = dialog?.dataset.viewId === view.id ? focusedInput() : null;
  if (!dialog) open();
  const title = textOf(view.title);
  const body = blockKit(view.blocks, ofView(view));
  const deep = store.views.length > 1;
  const submit =
    view.submit &&
    h(
      "button",
      {
        type: "submit",
        class: "button primary",
        "data-testid": "modal-submit",
        disabled: view.submit_disabled || null,
      },
      h("span", {}, textOf(view.submit)),
    );
  const cancel = h(
    "button",
    { type: "button", class: "button", "data-testid": "modal-cancel", onclick: () => close(view, false) },
    textOf(view.close) || (deep ? "Back" : "Cancel"),
  );
  const form = h(
    "form",
    {
      class: "modal-form",
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        send(view, form, submit);
      },
    },
    h(
      "div",
      { class: "modal-head" },
      deep && iconButton("back", "Back", { onclick: () => close(view, false) }),
      h(
        "span",
        { class: "modal-app" },
        h("img", { src: "/playground/static/flag.svg", alt: "", width: 28, height: 28 }),
      ),
      h("h2", { id: "modal-title" }, title),
      iconButton("close", "Close", { "data-testid": "modal-close", onclick: () => close(view, true) }),
    ),
    h("div", { class: "modal-body", tabindex: "-1" }, body),
    h("div", { class: "modal-foot" }, cancel, submit),
  );
  ofView(view).root = form;
  Object.assign(dialog.dataset, { viewId: view.id, hash: view.hash, callbackId: view.callback_id || "" });
  dialog.replaceChildren(form);
  form.addEventListener("keydown", (event) => entered(event, form));
  form.addEventListener("input", (event) => clearError(event.target.closest("[data-input]")));
  settleFocus(form, view, focus);
}

function open() {
  opener = document.activeElement;
  dialog = h("dialog", { class: "dialog modal", "data-testid": "modal", "aria-labelledby": "modal-title" });
  // Esc requests the close; the dialog closes once the app has been notified.
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close(store.views.at(-1), false);
  });
  document.body.append(dialog);
  dialog.showModal();
}

function shut() {
  if (!dialog) return;
  dialog.close();
  dialog.remove();
  dialog = null;
  if (opener?.isConnected) opener.focus({ preventScroll: true });
  opener = null;
}

/** Close a modal view; if that fails, drop it on this page alone and show the error. */
async function close(view, all) {
  if (!view) return;
  try {
    await act("view", { view_id: view.id, action: "close", ...(all && { is_cleared: true }) });
  } catch (error) {
    if (error.code !== "view_not_found") complain(error);
    store.views = all ? [] : store.views.filter((row) => row.id !== view.id);
    draw();
  }
}

async function send(view, form, button) {
  if (!button || button.disabled) return;
  showErrors(form, {});
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    await act("view", { view_id: view.id, action: "submit", values: ofView(view).values });
  } catch (error) {
    const shown = error.body?.errors && showErrors(form, error.body.errors);
    if (!shown) toast(error.message, { bad: true, key: error.code });
  } finally {
    button.disabled = Boolean(view.submit_disabled);
    button.setAttribute("aria-busy", "false");
  }
}

/** Submit the form on Enter in a single-line input, or on Ctrl/Cmd+Enter in a multiline one. */
function entered(event, form) {
  if (event.key !== "Enter") return;
  if (event.target.tagName === "TEXTAREA" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
  }
}

function focusedInput() {
  const node = document.activeElement;
  if (!dialog?.contains(node) || !node.dataset.actionId) return null;
  return { action: node.dataset.actionId, block: node.dataset.blockId };
}

function settleFocus(form, view, was) {
  const all = [...form.querySelectorAll(".modal-body [data-action-id]")];
  const find = (action, block) =>
    all.find((node) => node.dataset.actionId === action && (!block || node.dataset.blockId === block));
  const wanted = view.blocks
    .flatMap((block) =>
      [block.element, block.accessory, ...(block.elements || [])]
        .filter(Boolean)
        .map((element) => [element, block.block_id]),
    )
    .find(([element]) => element.focus_on_load);
  const first =
    (was && find(was.action, was.block)) ||
    (wanted && find(wanted[0].action_id, wanted[1])) ||
    all.find((node) => node.closest(".input"));
  (first || form.querySelector(".modal-body")).focus();
}
