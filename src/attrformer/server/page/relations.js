// The second view: what the model has learned of each relation.

import { get, post } from "./api.js";
import { bar, byId, element, latest, round, titled } from "./dom.js";
import { itemSearch } from "./search.js";

const NEIGHBOURS = 12;

let chosen = null;

function options(select, names) {
  select.replaceChildren(...names.map((name) => element("option", { value: name }, name.replaceAll("_", " "))));
}

function showStrengths(strengths) {
  const most = Math.max(0, ...Object.values(strengths));
  const rows = Object.entries(strengths).map(([name, value]) => element("li", {}, bar(name.replaceAll("_", " "), value, 0, most)));
  byId("strengths").replaceChildren(...rows);
}

function cell(value, most, row, column) {
  const depth = element("i", { class: value < 0 ? "negative" : null, "aria-hidden": "true" });
  // The root lets weaker pairs be seen beside the strongest one.
  depth.style.opacity = Math.sqrt(Math.abs(value) / (most || 1));
  const text = round(value);
  return element("td", { title: `${row} → ${column}: ${text}` }, depth, element("span", { class: "away" }, text));
}

const showPairs = latest(
  (attribute) => get("v1/pairs", { attribute, k: 14 }),
  ({ attribute, values, matrix }) => {
    const most = Math.max(0, ...matrix.flat().map(Math.abs));
    const head = element("tr", {}, element("td"), ...values.map((name) => element("th", { scope: "col" }, element("span", {}, name))));
    head.firstChild.style.background = "none";
    const rows = values.map((name, a) =>
      element("tr", {}, element("th", { scope: "row" }, name), ...values.map((other, b) => cell(matrix[a][b], most, name, other))),
    );
    const caption = element("caption", { class: "away" }, `Strongest pairs of ${attribute}`);
    const table = element("table", { class: "heat" }, caption, element("thead", {}, head), element("tbody", {}, ...rows));
    byId("heat").replaceChildren(values.length ? table : element("p", { class: "soft" }, "No pairs are learned."));
  },
);

const showSimilar = latest(
  () => (chosen === null ? null : post("v1/similar", { items: [chosen.item_id], k: NEIGHBOURS, by: byId("by").value })),
  ({ results }) => {
    const items = results[0]?.similar ?? [];
    const scores = items.map((item) => item.score);
    const [least, most] = [Math.min(0, ...scores), Math.max(0, ...scores)];
    byId("similar-status").textContent = `${items.length ? "Most similar to" : "Nothing is similar to"} ${titled(chosen)}`;
    byId("similar").replaceChildren(...items.map((item) => element("li", {}, bar(titled(item), item.score, least, most))));
  },
);

let search = null;

export function startRelations(model) {
  showStrengths(model.relations);
  options(byId("attribute"), model.pair_attributes);
  options(byId("by"), model.similar_by);
  byId("attribute").closest("section").hidden = model.pair_attributes.length === 0;
  if (search === null) {
    search = itemSearch(byId("find-similar"), "Words of a title or id", "Choose", (item) => {
      chosen = item;
      showSimilar();
    });
    byId("attribute").addEventListener("change", () => showPairs(byId("attribute").value));
    byId("by").addEventListener("change", showSimilar);
  }
  search.refresh();
  if (model.pair_attributes.length) showPairs(model.pair_attributes[0]);
}
