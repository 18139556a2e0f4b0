// One callback as a card. Everything a sender wrote goes through textContent.

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

export function card(callback) {
  const item = element("li", "card");
  item.dataset.n = callback.n;
  item.append(top(callback), facts(callback));
  const message = problem(callback.body);
  if (message) item.append(element("p", "problem", message));
  const shown = outputs(callback.body?.data?.output);
  if (shown.childElementCount) item.append(shown);
  const folds = element("div", "folds");
  folds.append(
    fold(`Body, ${size(callback)}`, () => bodyOf(callback)),
    fold(`Headers, ${Object.keys(callback.headers).length}`, () => headersOf(callback.headers)),
  );
  item.append(folds);
  return item;
}

function top(callback) {
  const row = element("div", "top");
  const data = callback.body?.data;
  row.append(element("span", "type", words(callback.body?.type) || "callback without a type"));
  const id = words(data?.request_id) || words(data?.id);
  if (id) row.append(element("span", "id", id));
  row.append(badge(callback), time(callback.received_at));
  return row;
}

function badge(callback) {
  if (callback.verified) return element("span", "badge good", "signature verified");
  const look = callback.verdict === "no secret" ? "badge unsure" : "badge bad";
  return element("span", look, callback.verdict_sentence);
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
  if (callback.attempt_number_seen !== null) say(`attempt ${callback.attempt_number_seen} seen`);
  if (Number.isInteger(data?.submissions)) say(`submissions ${data.submissions}`);
  if (callback.answered === null) say("left hanging", "bad");
  else say(`answered ${callback.answered}`, callback.answered < 300 ? "" : "bad");
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
function fold(title, fill) {
  const details = element("details");
  details.append(element("summary", "", title));
  details.addEventListener("toggle", () => details.append(fill()), { once: true });
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
