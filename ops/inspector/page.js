// The list, the counts and the switch, kept live over server-sent events.

import { card, title, unfolded } from "./card.js";

const SHOWN = 200;
const MOST_ATTEMPTS = 50;
// Seconds that a 429 asks for where nothing else is said.
const PATIENCE = 5;
const find = (id) => document.getElementById(id);
const list = find("list");
const counts = { received: 0, verified: 0, not_verified: 0 };
// The attempts of each callback, the newest first, and the card that shows them.
const attemptsOf = new Map();
const cardOf = new Map();
let newest = 0;
// What arrives while the list is being read waits here, so that nothing is lost or shown twice.
let waiting = null;

function showCounts() {
  find("received").textContent = counts.received;
  find("verified").textContent = counts.verified;
  find("not-verified").textContent = counts.not_verified;
  find("not-verified").parentElement.classList.toggle("some", counts.not_verified > 0);
  find("empty").hidden = counts.received > 0;
  document.title = counts.received ? `(${counts.received}) Darkroom inspector` : "Darkroom inspector";
}

// Attempts of one callback have its webhook-id; what has none stands alone.
function keyOf(callback) {
  return callback.webhook_id === null ? `n ${callback.n}` : `id ${callback.webhook_id}`;
}

function place(key, item) {
  item.dataset.key = key;
  cardOf.set(key, item);
  return item;
}

function showList(listed) {
  Object.assign(counts, listed.counts);
  newest = listed.callbacks[0]?.n ?? 0;
  attemptsOf.clear();
  cardOf.clear();
  for (const callback of listed.callbacks) {
    const key = keyOf(callback);
    attemptsOf.set(key, [...(attemptsOf.get(key) ?? []), callback]);
  }
  list.replaceChildren(...[...attemptsOf].map(([key, attempts]) => place(key, card(attempts))));
  showCounts();
}

function add(callback) {
  if (waiting) return waiting.push(callback);
  if (callback.n <= newest) return;
  newest = callback.n;
  counts.received += 1;
  counts[callback.verified ? "verified" : "not_verified"] += 1;
  const key = keyOf(callback);
  const before = attemptsOf.get(key) ?? [];
  const old = cardOf.get(key);
  attemptsOf.set(key, [callback, ...before].slice(0, MOST_ATTEMPTS));
  // Whoever looks at an earlier attempt goes on doing so.
  const stays = old && old.shown !== before[0] && before.includes(old.shown);
  const shown = stays ? old.shown : callback;
  const item = place(key, card(attemptsOf.get(key), { shown, open: old ? unfolded(old) : [] }));
  item.classList.add("new");
  const hadFocus = old?.contains(document.activeElement);
  old?.remove();
  list.prepend(item);
  if (hadFocus) item.querySelector("summary").focus({ preventScroll: true });
  while (list.childElementCount > SHOWN) forget(list.lastElementChild);
  const verdict = callback.verified ? "signature verified" : callback.verdict_sentence;
  find("news").textContent = `${title(callback)}, ${verdict}`;
  showCounts();
}

function forget(item) {
  attemptsOf.delete(item.dataset.key);
  cardOf.delete(item.dataset.key);
  item.remove();
}

// A card that shows another attempt takes the place of the one before it.
list.addEventListener("shown", ({ target }) => {
  const key = keyOf(target.shown);
  place(key, target);
});

async function readAll() {
  waiting = [];
  showList(await (await fetch(`api/callbacks?limit=${SHOWN}`)).json());
  showAnswer(await (await fetch("api/answer")).json());
  const arrived = waiting;
  waiting = null;
  arrived.forEach(add);
}

function clearList() {
  if (waiting) waiting.length = 0;
  showList({ callbacks: [], counts: { received: 0, verified: 0, not_verified: 0 } });
}

function showLive(isLive) {
  find("live").dataset.live = isLive ? "yes" : "no";
  find("live").textContent = isLive ? "live" : "reconnecting";
}

function listen() {
  const events = new EventSource("api/events");
  // Also after every reconnection: the inspector may have started anew meanwhile.
  events.addEventListener("open", () => readAll().then(() => showLive(true), () => showLive(false)));
  events.addEventListener("error", () => showLive(false));
  events.addEventListener("callback", (event) => add(JSON.parse(event.data)));
  events.addEventListener("answer", (event) => showAnswer(JSON.parse(event.data)));
  events.addEventListener("cleared", clearList);
}

// The switch.

const choices = [...document.querySelectorAll("#switch [data-status]")];

function showAnswer(answer) {
  for (const choice of choices) {
    const isHang = choice.dataset.hang === "yes";
    const isSet = isHang === answer.hang && (isHang || Number(choice.dataset.status) === answer.status);
    choice.setAttribute("aria-pressed", String(isSet));
  }
  find("left").textContent = leftover(answer);
}

function leftover(answer) {
  const parts = [];
  if (!choices.some((choice) => choice.getAttribute("aria-pressed") === "true")) parts.push(answer.status);
  if (answer.times !== null) parts.push(`${answer.times} left`);
  if (answer.path !== null) parts.push(`only ${answer.path}`);
  if (answer.retry_after !== null) parts.push(`Retry-After ${answer.retry_after}`);
  return parts.join(", ");
}

function chosen(choice) {
  const status = Number(choice.dataset.status);
  const hang = choice.dataset.hang === "yes";
  // Plain 200 is "back to normal": it takes none of the conditions along.
  if (status === 200 && !hang) return { status };
  const path = find("path").value.trim();
  return {
    status,
    hang,
    times: numberIn("times"),
    retry_after: numberIn("retry-after") ?? (status === 429 && !hang ? PATIENCE : null),
    path: path && (path.startsWith("/") ? path : `/${path}`) || null,
  };
}

function numberIn(id) {
  const value = find(id).value;
  return value === "" ? null : Number(value);
}

async function turn(choice) {
  const body = JSON.stringify(chosen(choice));
  const headers = { "content-type": "application/json" };
  const response = await fetch("api/answer", { method: "PUT", headers, body });
  if (!response.ok) find("left").textContent = "not accepted";
}

choices.forEach((choice) => choice.addEventListener("click", () => turn(choice)));
find("switch").addEventListener("submit", (event) => event.preventDefault());
find("clear").addEventListener("click", () => fetch("api/callbacks", { method: "DELETE" }));

// j and k walk through the list, like the arrow keys of a reader.

document.addEventListener("keydown", (event) => {
  const step = { j: 1, k: -1 }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select")) return;
  const cards = [...list.children];
  const at = cards.indexOf(document.activeElement.closest(".card"));
  cards[Math.max(0, at + step)]?.querySelector("summary").focus();
});

const address = new URL("callbacks", document.baseURI).href;
find("address").textContent = address;
find("copy").hidden = !navigator.clipboard;
find("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(address);
  find("copy").textContent = "Copied";
});

listen();
