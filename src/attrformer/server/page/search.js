// A field that searches the catalogue, and below it what it found, as buttons.

import { get } from "./api.js";
import { element, latest, paused, titled } from "./dom.js";

const SHOWN = 20;

function described(item) {
  const words = Object.values(item.attributes ?? {}).flat();
  return [item.title === null ? null : String(item.item_id), ...words].filter(Boolean).join(" · ");
}

export function itemSearch(place, label, verb, choose) {
  const field = element("input", { type: "search", "aria-label": label, placeholder: label, autocomplete: "off", maxlength: 200 });
  const status = element("p", { class: "soft", role: "status" });
  const list = element("ul", { class: "found", "aria-label": "Found items" });

  const show = ({ total, items }) => {
    status.textContent = total === 0 ? "Nothing found." : `${items.length} of ${total.toLocaleString("en")} items`;
    list.replaceChildren(
      ...items.map((item) =>
        element(
          "li",
          {},
          element(
            "button",
            { type: "button", "aria-label": `${verb} ${titled(item)}`, onclick: () => choose(item) },
            titled(item),
            element("small", {}, described(item)),
          ),
        ),
      ),
    );
  };
  const search = latest((query) => get("v1/catalogue", { query, limit: SHOWN }), show);

  field.addEventListener("input", paused(() => search(field.value)));
  // Down goes from the field into the list, and on within it; up goes back.
  place.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const stops = [field, ...list.querySelectorAll("button")];
    const next = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    if (stops[next]) {
      stops[next].focus();
      event.preventDefault();
    }
  });
  place.append(field, status, list);
  return { refresh: () => search(field.value) };
}
