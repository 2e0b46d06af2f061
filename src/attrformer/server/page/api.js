// Requests to the service; a refusal becomes the message on top of the page and null.

import { byId } from "./dom.js";

const KEY = "attrformer-token";

const AWAY = ["not_ready", "stopping"];

let asked = 0;
let complained = 0;
let lost = () => {};

function complain(text) {
  complained = asked;
  const message = byId("message");
  message.textContent = text;
  message.hidden = text === "";
}

async function ask(path, options) {
  const mine = ++asked;
  const token = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    complain("The service cannot be reached. This page goes on when it is back.");
    lost();
    return null;
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok) {
    // The answer to an older question takes no newer message away.
    if (mine > complained) complain("");
    return body;
  }
  byId("token-form").hidden = answer.status !== 401;
  complain(body?.error?.message ?? `The service answered ${answer.status}.`);
  if (AWAY.includes(body?.error?.code)) lost();
  return null;
}

// Calls `back` once the service answers again after it could not, or had no model yet.
export function whenBack(back) {
  let waiting = false;
  lost = async () => {
    if (waiting) return;
    waiting = true;
    for (let pause = 500; ; pause = Math.min(2 * pause, 5000)) {
      await new Promise((done) => setTimeout(done, pause));
      const ready = await fetch("readyz", { cache: "no-store" }).then((answer) => answer.ok, () => false);
      if (ready) break;
    }
    waiting = false;
    back();
  };
}

export function get(path, query = {}) {
  const words = new URLSearchParams(query).toString();
  return ask(words ? `${path}?${words}` : path, {});
}

export function post(path, body) {
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

// Calls `ready` when a token was given.
export function offerToken(ready) {
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, byId("token").value.trim());
    byId("token").value = "";
    byId("token-form").hidden = true;
    ready();
  });
}
