// The first view: a history is composed, and recommendations with their reasons follow every change.

import { get, post } from "./api.js";
import { whom } from "./asked.js";
import { bar, byId, element, latest, paused, titled } from "./dom.js";
import { rules, startRules } from "./rules.js";
import { itemSearch } from "./search.js";

const REASONS = 4;
const SHOWN = 50;
const ALL = 2000;
const SILENT = 0.005;

// What is shown, what was loaded of the user, and what came before that and is not shown.
let history = [];
let loaded = [];
let earlier = [];
let user = null;

function body() {
  const chosen = [...byId("attributes").querySelectorAll("[data-attribute]")].filter((field) => field.value !== "");
  const attributes = Object.fromEntries(chosen.map((field) => [field.dataset.attribute, field.value]));
  return {
    ...whom({ user, loaded, earlier, history, attributes }),
    k: Number(byId("count").value),
    hide_seen: byId("hide-seen").checked,
    on_unknown: "warn",
    ...rules(),
  };
}

function reasons(components, least, most) {
  return components.map(({ component, contribution, reason }) =>
    element(
      "li",
      {},
      bar(component.replaceAll("_", " "), contribution, least, most),
      reason ? element("div", { class: "reason" }, reason) : null,
    ),
  );
}

function card(item, least, most) {
  const order = [...item.components].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
  const loud = order.filter(({ contribution }) => Math.abs(contribution) >= SILENT);
  const rest = loud.slice(REASONS);
  return element(
    "li",
    { "data-item": item.item_id },
    element(
      "h3",
      {},
      element("span", { class: "rank" }, `${item.rank}.`),
      element("span", {}, titled(item)),
      element("span", { class: "number", title: "Score" }, item.score.toFixed(2)),
      element("button", { type: "button", class: "quiet", "aria-label": `Add ${titled(item)} to the history`, onclick: () => add(item) }, "+"),
    ),
    element("ul", { class: "bars", "aria-label": "Reasons" }, ...reasons(loud.slice(0, REASONS), least, most)),
    rest.length
      ? element("details", {}, element("summary", {}, `${rest.length} more`), element("ul", { class: "bars" }, ...reasons(rest, least, most)))
      : null,
  );
}

const refresh = latest(
  () => {
    byId("answers-status").textContent = "Asking …";
    return post("v1/explain", body());
  },
  ({ results, warnings, notes = [] }) => {
    const items = results[0]?.items ?? [];
    const all = items.flatMap((item) => item.components.map((component) => component.contribution));
    const [least, most] = [Math.min(0, ...all), Math.max(0, ...all)];
    byId("answers-status").textContent = [`${items.length} items`, ...warnings, ...notes.map(({ note }) => note)].join(" · ");
    byId("answers").replaceChildren(...items.map((item) => card(item, least, most)));
  },
);
const refreshSoon = paused(refresh, 120);

function showHistory(focus = null) {
  byId("history-empty").hidden = history.length > 0;
  byId("clear").hidden = history.length === 0;
  byId("history").replaceChildren(
    ...history.map((item, place) =>
      element(
        "li",
        {},
        element("span", {}, titled(item)),
        element("button", { type: "button", class: "quiet", disabled: place === 0, "aria-label": `Move ${titled(item)} up`, onclick: () => move(place) }, "↑"),
        element("button", { type: "button", class: "quiet", "aria-label": `Remove ${titled(item)}`, onclick: () => remove(place) }, "×"),
      ),
    ),
  );
  if (focus !== null) {
    // Whoever works with the keyboard goes on where the removed entry was.
    const left = byId("history").children[Math.min(focus, history.length - 1)];
    (left?.querySelector("button:last-child") ?? byId("find").querySelector("input")).focus();
  }
  refreshSoon();
}

function add(item) {
  history.push({ item_id: item.item_id, title: item.title });
  showHistory();
}

function remove(place) {
  history.splice(place, 1);
  showHistory(place);
}

function move(place) {
  [history[place - 1], history[place]] = [history[place], history[place - 1]];
  showHistory(place - 1);
}

async function loadUser(id) {
  const found = await get("v1/history", { user_id: id, limit: ALL });
  if (found === null) return;
  user = found.user_id;
  earlier = found.items.slice(0, -SHOWN);
  loaded = found.items.slice(-SHOWN);
  history = [...loaded];
  const before = earlier.length ? ` The ${earlier.length} before them count too.` : "";
  byId("user-note").textContent = `${user}: their last ${history.length} items.${before}`;
  showHistory();
}

function forget() {
  user = null;
  history = [];
  loaded = [];
  earlier = [];
  byId("user").value = byId("user-note").textContent = "";
  showHistory();
  byId("find").querySelector("input").focus();
}

function attributeField(id, name, values, isNumber) {
  const shared = { id, "data-attribute": name };
  if (isNumber) return element("input", { ...shared, inputmode: "decimal", placeholder: "not given", oninput: refreshSoon });
  if (values.length === 0) return element("input", { ...shared, placeholder: "not given", oninput: refreshSoon });
  const options = [element("option", { value: "" }, "not given"), ...values.map((value) => element("option", { value }, value))];
  return element("select", { ...shared, onchange: refreshSoon }, ...options);
}

function attributeFields(attributes, numbers) {
  const fields = Object.entries(attributes).flatMap(([name, values]) => {
    const id = `attribute-${name}`;
    const label = element("label", { for: id }, name.replaceAll("_", " "));
    return [label, attributeField(id, name, values, numbers.includes(name))];
  });
  byId("attributes").replaceChildren(...fields);
  byId("attributes-card").hidden = fields.length === 0;
}

let search = null;
let described = "";

export function startRecommend(model) {
  // What was chosen stays where the service comes back with the same model.
  const attributes = JSON.stringify([model.user_attributes, model.user_numbers]);
  if (attributes !== described) attributeFields(model.user_attributes, model.user_numbers);
  described = attributes;
  startRules(model, refreshSoon);
  if (search === null) {
    search = itemSearch(byId("find"), "Words of a title or id", "Add", add);
    byId("clear").addEventListener("click", forget);
    byId("count").addEventListener("change", refreshSoon);
    byId("hide-seen").addEventListener("change", refreshSoon);
    byId("user-form").addEventListener("submit", (event) => {
      event.preventDefault();
      loadUser(byId("user").value.trim());
    });
  }
  search.refresh();
  showHistory();
}
