// A callback as a card. Everything a sender wrote goes through textContent.

const SIGNING = new Set(["webhook-id", "webhook-timestamp", "webhook-signature"]);
// Colouring a longer body would make the page sluggish.
const COLOURED_CHARACTERS = 40000;
const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

// One callback with all its attempts, the newest first; one of them is looked at.
export function card(attempts, { shown = attempts[0], open = [] } = {}) {
  const item = element("li", "card");
  item.append(top(shown), facts(shown));
  if (attempts.length > 1) item.append(attemptsOf(attempts, shown, item));
  item.append(checks(shown));
  const message = problem(shown.body);
  if (message) item.append(element("p", "problem", message));
  const pictures = outputs(shown.body?.data?.output);
  if (pictures.childElementCount) item.append(pictures);
  const folds = element("div", "folds");
  folds.append(
    fold("body", `Body, ${size(shown)}`, () => bodyOf(shown), open),
    fold("headers", `Headers, ${Object.keys(shown.headers).length}`, () => headersOf(shown.headers), open),
  );
  item.append(folds);
  item.shown = shown;
  return item;
}

// The names of what is unfolded on a card.
export function unfolded(item) {
  return [...item.querySelectorAll("details[open]")].map((details) => details.dataset.name);
}

function attemptsOf(attempts, shown, item) {
  const list = element("div", "attempts");
  list.setAttribute("role", "group");
  list.setAttribute("aria-label", "Attempts, the first one first");
  for (const attempt of [...attempts].reverse()) {
    const button = element("button", isGood(attempt) ? "good" : "bad");
    button.type = "button";
    button.append(element("b", "", `#${attempt.attempt_number_seen}`), ` ${answered(attempt)} `);
    button.append(time(attempt.received_at));
    button.setAttribute("aria-pressed", String(attempt === shown));
    button.addEventListener("click", () => {
      const next = card(attempts, { shown: attempt, open: unfolded(item) });
      item.replaceWith(next);
      next.querySelector('.attempts [aria-pressed="true"]').focus();
      next.dispatchEvent(new CustomEvent("shown", { bubbles: true }));
    });
    list.append(button);
  }
  return list;
}

function isGood(callback) {
  return callback.answered !== null && callback.answered < 300;
}

function answered(callback) {
  return callback.answered === null ? "left hanging" : `${callback.answered}`;
}

export function title(callback) {
  return words(callback.body?.type) || "callback without a type";
}

function top(callback) {
  const row = element("div", "top");
  const data = callback.body?.data;
  row.append(element("h2", "type", title(callback)));
  const id = words(data?.request_id) || words(data?.id);
  if (id) row.append(element("span", "id", id));
  row.append(badge(callback), time(callback.received_at));
  return row;
}

function badge(callback) {
  if (callback.verified) return element("span", "badge good", "✓ signature verified");
  if (callback.verdict === "no secret") return element("span", "badge unsure", callback.verdict_sentence);
  return element("span", "badge bad", `✗ ${callback.verdict_sentence}`);
}

// What each signature in the header came to.
function checks(callback) {
  const row = element("div", "checks");
  for (const { version, by, is_checked: isChecked } of callback.checks) {
    const said = by ?? (isChecked ? "no key of ours" : "not checked here");
    row.append(element("span", by ? "check good" : "check", `${version} · ${said}`));
  }
  return row;
}

function time(instant) {
  const made = element("time");
  const date = new Date(instant);
  const thousandths = String(date.getMilliseconds()).padStart(3, "0");
  made.textContent = `${date.toLocaleTimeString("en-GB")}.${thousandths}`;
  made.dateTime = instant;
  made.title = instant;
  return made;
}

function facts(callback) {
  const row = element("div", "facts");
  const data = callback.body?.data;
  const say = (text, className) => row.append(element("span", className, text));
  if (words(data?.model_id)) say(data.model_id);
  if (Number.isInteger(data?.submissions)) say(`submissions ${data.submissions}`);
  if (callback.answered === null) say("left hanging", "bad");
  else say(`answered ${callback.answered}`, isGood(callback) ? "" : "bad");
  if (callback.webhook_id) say(callback.webhook_id, "id");
  say(callback.query ? `${callback.path}?${callback.query}` : callback.path, "id");
  return row;
}

function problem(body) {
  const error = body?.data?.error;
  if (!error) return "";
  if (typeof error === "string") return error;
  return [words(error.code), words(error.message)].filter(Boolean).join(": ");
}

function outputs(output) {
  const row = element("div", "outputs");
  for (const url of addresses(output?.video, output?.videos)) {
    const video = element("video");
    Object.assign(video, { controls: true, muted: true, loop: true, playsInline: true });
    Object.assign(video, { preload: "metadata", src: url });
    row.append(video);
  }
  for (const url of addresses(output?.image, output?.images)) {
    const image = element("img");
    Object.assign(image, { alt: "An output of this generation", loading: "lazy", src: url });
    row.append(image);
  }
  return row;
}

// Each address once; only what may be loaded from the web.
function addresses(one, many) {
  const all = [one, ...(Array.isArray(many) ? many : [])];
  const urls = all.map((found) => words(found) || words(found?.url));
  return new Set(urls.filter((url) => /^https?:\/\//i.test(url)));
}

// Filled when first opened: most callbacks are never unfolded.
function fold(name, title, fill, open) {
  const details = element("details");
  details.dataset.name = name;
  details.append(element("summary", "", title));
  if (open.includes(name)) {
    details.open = true;
    details.append(fill());
  } else {
    details.addEventListener("toggle", () => details.append(fill()), { once: true });
  }
  return details;
}

function headersOf(headers) {
  const list = element("dl", "headers");
  for (const name of Object.keys(headers).sort(signingFirst)) {
    const look = SIGNING.has(name) ? "signing" : "";
    list.append(element("dt", look, name), element("dd", "", headers[name]));
  }
  return list;
}

function signingFirst(one, other) {
  return SIGNING.has(other) - SIGNING.has(one) || one.localeCompare(other);
}

function bodyOf(callback) {
  const pre = element("pre");
  pre.tabIndex = 0;
  const isJson = callback.body !== null || callback.body_text.trim() === "null";
  const text = isJson ? JSON.stringify(callback.body, null, 2) : callback.body_text;
  if (!isJson || text.length > COLOURED_CHARACTERS) pre.textContent = text || "(empty)";
  else colour(pre, text);
  return pre;
}

function colour(pre, text) {
  let end = 0;
  for (const token of text.matchAll(TOKENS)) {
    const [all, string, colon] = token;
    const look = colon ? "word" : string ? "text" : "figure";
    pre.append(text.slice(end, token.index), element("span", look, string ?? all), colon ?? "");
    end = token.index + all.length;
  }
  pre.append(text.slice(end));
}

function size(callback) {
  const bytes = new Blob([callback.body_text]).size;
  return bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(1)} KiB`;
}

function words(found) {
  return typeof found === "string" ? found : "";
}
