// The home tab of the app.

import { blockKit } from "../blocks/blockkit.js";
import { ofView } from "../state/context.js";
import { h } from "../dom.js";
import { store } from "../state/store.js";

let drawn = "";

export function drawHome(pane) {
  const view = store.home;
  const now = `${store.me.id} ${view?.id} ${view?.hash}`;
  if (now === drawn && pane.firstChild) return;
  drawn = now;
  if (!view) {
    pane.replaceChildren(h("p", { class: "home-empty" }, "The app has not published a home yet."));
    return;
  }
  const context = ofView(view);
  const node = h("div", { class: "home-inner", "data-testid": "home" }, blockKit(view.blocks, context));
  context.root = node;
  pane.replaceChildren(node);
}
