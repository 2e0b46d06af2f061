// Elements with their attributes and children in one expression; text is always text, never markup.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

export const titled = (item) => item.title ?? String(item.item_id);

export const round = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2));

// A label, a bar from the zero line to the value, and the value; `least` and `most` are the ends of the scale.
export function bar(label, value, least, most) {
  const width = most - least || 1;
  const from = (Math.min(value, 0) - least) / width;
  const fill = element("span", { class: value < 0 ? "fill negative" : "fill" });
  fill.style.left = `${100 * from}%`;
  fill.style.width = `${(100 * Math.abs(value)) / width}%`;
  return element(
    "div",
    { class: "bar-line" },
    element("span", {}, label),
    element("span", { class: "track", "aria-hidden": "true" }, fill),
    element("span", { class: "number" }, round(value)),
  );
}

// Runs a function once the calls have paused.
export function paused(run, milliseconds = 180) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...given), milliseconds);
  };
}

// Of several runs of an asynchronous function only the last one may show what it found.
export function latest(ask, show) {
  let number = 0;
  return async (...given) => {
    const mine = ++number;
    const found = await ask(...given);
    if (mine === number && found !== null) show(found, ...given);
  };
}
