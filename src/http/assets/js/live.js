// The stream of changes. One connection for the whole page; listeners come and go with the pages.

const listeners = new Map();
const BACKOFF_MS = [1000, 2000, 5000, 10_000];
let source = null;
let failures = 0;
let retry = 0;

/** Calls back for each event of this name; the answer ends that. */
export function on(name, callback) {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(callback);
  return () => listeners.get(name).delete(callback);
}

/** Opens the stream, and opens it again whenever it ends. */
export function connect() {
  close();
  tell("state", "connecting");
  source = new EventSource("/api/v1/events");
  source.onopen = () => {
    failures = 0;
    tell("state", "live");
  };
  source.onerror = () => {
    tell("state", "down");
    // A stream that was refused stays closed: the browser only retries one that broke off.
    if (source.readyState === EventSource.CLOSED) again();
  };
  for (const name of ["alert", "summary", "changed", "shard", "dead_letter"]) {
    source.addEventListener(name, (event) => tell(name, JSON.parse(event.data)));
  }
  source.addEventListener("reset", () => tell("reset", null));
  source.addEventListener("bye", () => {
    tell("state", "down");
    again();
  });
}

/** Ends the stream. */
export function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function again() {
  close();
  retry = setTimeout(connect, BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)]);
  failures += 1;
}

function tell(name, data) {
  for (const callback of listeners.get(name) ?? []) callback(data);
}

/** A function that runs at most once in so many ms, and always after the last call. */
export function throttled(callback, ms) {
  let timer = 0;
  let last = 0;
  return () => {
    if (timer) return;
    const wait = Math.max(0, last + ms - Date.now());
    timer = setTimeout(() => {
      timer = 0;
      last = Date.now();
      callback();
    }, wait);
  };
}

/** Calls back after events of these names, at most once in so many ms; the answer ends that. */
export function follow(names, callback, ms) {
  const again = throttled(callback, ms);
  const ends = names.map((name) => on(name, again));
  return () => ends.forEach((end) => end());
}
