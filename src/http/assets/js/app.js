// The frame of the pages: which page is shown, the state of the stream, new alerts, the colours.

import { failure, h, replace } from "./dom.js";
import { ApiError, get, signIn } from "./api.js";
import { connect, on, throttled } from "./live.js";
import { duration, sellerLink } from "./format.js";
import { alertReason, alertTitle } from "./words.js";
import { market } from "./pages/market.js";
import { sellers } from "./pages/sellers.js";
import { seller } from "./pages/seller.js";
import { alerts } from "./pages/alerts.js";
import { worklist } from "./pages/worklist.js";
import { deadLetters } from "./pages/dead_letters.js";

const PAGES = [
  { path: "", title: "Market", page: market },
  { path: "sellers", title: "Sellers", page: sellers },
  { path: "alerts", title: "Alerts", page: alerts },
  { path: "worklist", title: "Worklist", page: worklist },
  { path: "dead-letters", title: "Dead letters", page: deadLetters },
  { path: "seller", title: "Seller", page: seller, isHidden: true, under: "sellers" },
];
const RETRY_MS = 5000;
const TOAST_MS = 12_000;
const TOASTS = 4;

const main = document.querySelector("#main");
let shown = { key: "", leave: () => {}, turn: 0 };
let policy = null;
let boundary = null;
let isConnected = false;

async function show() {
  const [path, ...parts] = location.hash.replace(/^#\/?/, "").split("?")[0].split("/");
  const query = new URLSearchParams(location.hash.split("?")[1] ?? "");
  const entry = PAGES.find((item) => item.path === path) ?? PAGES[0];
  const turn = shown.turn + 1;
  shown.leave();
  shown = { key: path, leave: () => {}, turn };
  navigation(entry);
  document.title = `${entry.title} · odrwatch`;
  try {
    policy = policy ?? await start();
    if (shown.turn !== turn) return;
    const context = {
      main, policy, query, parts: parts.map(decodeURIComponent), seen,
      title: (text) => { document.title = `${text} · odrwatch`; },
      isShown: () => shown.turn === turn,
    };
    const leave = await entry.page(context);
    if (shown.turn === turn) shown.leave = leave ?? (() => {});
    else leave?.();
  } catch (error) {
    if (shown.turn === turn) refused(error, turn);
  }
}

async function start() {
  const answer = await get("/summary");
  seen(answer.meta);
  document.querySelector("#synthetic").hidden = !answer.meta.synthetic;
  if (!isConnected) {
    isConnected = true;
    connect();
  }
  return answer.policy;
}

function refused(error, turn) {
  if (!(error instanceof ApiError)) throw error;
  if (error.status === 401) {
    replace(main, signInForm());
    return;
  }
  replace(main, failure(error, show));
  setTimeout(() => shown.turn === turn && show(), RETRY_MS);
}

function signInForm() {
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password",
    required: true });
  const problem = h("p", { class: "muted", role: "alert" });
  return h("form", {
    class: "card",
    submit: async (event) => {
      event.preventDefault();
      try {
        await signIn(token.value);
        show();
      } catch (error) {
        problem.textContent = error.message;
      }
    },
  }, h("h2", {}, "Sign in"),
  h("p", { class: "sub" }, "This odrwatch asks for the token of its configuration."),
  h("div", { class: "filters" },
    h("label", { class: "field grow" }, "Token", token),
    h("button", { class: "button primary", type: "submit" }, "Sign in")), problem);
}

function navigation(entry) {
  const current = entry.under ?? entry.path;
  replace(document.querySelector("#nav"), PAGES.filter((item) => !item.isHidden).map((item) =>
    h("li", {}, h("a", {
      href: `#/${item.path}`, "data-key": `nav-${item.path}`,
      "aria-current": item.path === current ? "page" : undefined,
    }, item.title))));
}

/** Notes how old what is shown is. */
function seen(meta) {
  boundary = meta.boundary ? { ms: Date.now() - meta.age_ms } : null;
  state();
}

let stream = "connecting";

function state() {
  const element = document.querySelector("#live");
  const age = boundary ? Date.now() - boundary.ms : null;
  const words = {
    connecting: "Connecting …",
    down: "Connection lost, trying again",
    live: age === null ? "Live" : `Live · ${duration(Math.max(age, 0))} old`,
  };
  element.dataset.state = stream === "live" && age !== null && age > 60_000 ? "stale" : stream;
  if (element.textContent !== words[stream]) element.textContent = words[stream];
}

function toast(alert) {
  const box = document.querySelector("#toasts");
  const style = alert.state === "cleared" ? "cleared" : alert.kind;
  const node = h("div", { class: `toast ${style}` },
    h("strong", {}, alertTitle(alert)),
    h("a", { class: "id", href: sellerLink(alert.seller_id, alert.marketplace_id) },
      alert.seller_id),
    h("p", { class: "small" }, alertReason(alert)),
    h("button", { class: "close", type: "button", "aria-label": "Close", click: () => node.remove() },
      "×"));
  box.append(node);
  while (box.children.length > TOASTS) box.firstChild.remove();
  setTimeout(() => node.remove(), TOAST_MS);
}

function theme() {
  const order = ["system", "light", "dark"];
  const button = document.querySelector("#theme");
  const apply = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    const words = name === "system" ? "as the system" : name;
    button.setAttribute("aria-label", `Colours: ${words}`);
    button.title = `Colours: ${words}`;
  };
  let name = localStorage.getItem("odrwatch.theme") ?? "system";
  apply(name);
  button.addEventListener("click", () => {
    name = order[(order.indexOf(name) + 1) % order.length];
    localStorage.setItem("odrwatch.theme", name);
    apply(name);
  });
}

theme();
on("state", (name) => {
  stream = name;
  // A new connection may be to a process with another policy, and may have missed something.
  if (name === "live" && shown.key !== "") policy = null;
  state();
});
on("alert", toast);
on("reset", throttled(show, 1000));
setInterval(state, 1000);
addEventListener("hashchange", () => {
  show();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
show();
