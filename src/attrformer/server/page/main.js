// Reads what the model can be asked, and shows the view that the address names.

import { get, offerToken, whenBack } from "./api.js";
import { byId } from "./dom.js";
import { startRecommend } from "./recommend.js";
import { startRelations } from "./relations.js";

const VIEWS = { recommend: startRecommend, relations: startRelations };

let model = null;
const started = new Set();

function show() {
  const wanted = location.hash.slice(1);
  const view = wanted in VIEWS ? wanted : "recommend";
  if (model !== null && !started.has(view)) {
    started.add(view);
    VIEWS[view](model);
  }
  for (const name of Object.keys(VIEWS)) {
    // What does not listen yet is not shown: a form that is sent before then would be sent by the browser itself.
    byId(name).hidden = name !== view || !started.has(name);
    if (name === view) byId(`to-${name}`).setAttribute("aria-current", "page");
    else byId(`to-${name}`).removeAttribute("aria-current");
  }
}

async function start() {
  const found = await get("v1/model");
  if (found === null) return;
  model = found;
  const count = (number) => number.toLocaleString("en");
  byId("about").textContent = `${model.name} on ${model.dataset}: ${count(model.items)} items, ${count(model.users)} users`;
  for (const view of started) VIEWS[view](model);
  show();
}

offerToken(start);
whenBack(start);
addEventListener("hashchange", show);
show();
start();
