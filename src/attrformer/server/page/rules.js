// What a shop wants of the list: conditions, limits, variety, and the time at which prices and stock are read.

import { byId, element } from "./dom.js";

const FIELDS = ["where", "at-most", "at-most-column", "diversity", "as-of"];

function seconds(text) {
  // Without a zone, browsers take a time for one of this machine.
  return Math.floor(Date.parse(`${text}Z`) / 1000);
}

export function rules() {
  const [where, most, column, diversity, asOf] = FIELDS.map((id) => byId(id).value.trim());
  return {
    ...(where ? { where } : {}),
    ...(most && column ? { at_most: { [column]: Number(most) } } : {}),
    ...(Number(diversity) ? { diversity: Number(diversity) } : {}),
    ...(asOf ? { as_of: seconds(asOf) } : {}),
  };
}

let started = false;

export function startRules({ item_columns: columns, changing_columns: changing }, changed) {
  byId("rules-card").hidden = columns.length === 0 && changing.length === 0;
  byId("where").placeholder = columns.length ? `${columns[0]} is not missing` : "";
  byId("columns").textContent = columns.length ? `Columns: ${columns.join(", ")}.` : "";
  const chosen = byId("at-most-column").value;
  byId("at-most-column").replaceChildren(...columns.map((name) => element("option", { value: name }, name)));
  if (columns.includes(chosen)) byId("at-most-column").value = chosen;
  for (const field of [byId("as-of"), byId("as-of").previousElementSibling]) field.hidden = changing.length === 0;
  if (started) return;
  started = true;
  // A condition that is half written is no condition: it is asked when it is complete.
  for (const id of FIELDS) byId(id).addEventListener("change", changed);
}
