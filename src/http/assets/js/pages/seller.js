// One seller in one marketplace: where it stands, why, how much room is left, and when it ends.

import { card, empty, failure, h, replace, table } from "../dom.js";
import { ApiError, get } from "../api.js";
import { on, throttled } from "../live.js";
import { accountChart } from "../chart.js";
import {
  count, counted, day, fraction, instant, percent, rate, threshold,
} from "../format.js";
import { alertKind, band, defectKind, headroom } from "../words.js";
import { alertItem } from "./alerts.js";
import { workItems } from "./worklist.js";

const REFRESH_MS = 1500;

/** Shows the page; the answer ends it. */
export async function seller(context) {
  const [sellerId, marketplace = "-"] = context.parts;
  const path = `/sellers/${encodeURIComponent(sellerId)}/${encodeURIComponent(marketplace)}`;
  context.title(sellerId);
  const load = async () => {
    const [account, work] = await Promise.all([
      get(path, { redirect: "none" }), get("/worklist", { seller: sellerId, marketplace, limit: 50 }),
    ]);
    if (!context.isShown()) return;
    context.seen(account.meta);
    const opened = openDetails(context.main);
    replace(context.main, page(account, work, context.policy, path));
    reopen(context.main, opened);
  };
  const quietly = () => load().catch((error) => {
    if (!context.isShown()) return;
    if (error instanceof ApiError && [404, 421].includes(error.status)) replace(context.main, failure(error));
  });
  await load();
  const again = throttled(quietly, REFRESH_MS);
  const ends = [
    on("changed", (what) => {
      const isMine = ([id]) => id === sellerId;
      if (what.many || what.sellers?.some(isMine)) again();
    }),
    on("alert", (alert) => alert.seller_id === sellerId && again()),
  ];
  return () => ends.forEach((end) => end());
}

function openDetails(root) {
  return [...root.querySelectorAll("details")].map((item) => item.open);
}

function reopen(root, opened) {
  root.querySelectorAll("details").forEach((item, index) => { item.open = opened[index] ?? false; });
}

function page(account, work, policy, path) {
  return [
    h("p", { class: "crumbs" }, h("a", { href: "#/sellers" }, "Sellers"), " / ",
      h("span", { class: "id" }, account.seller_id)),
    h("div", { class: "page-head" }, h("div", {},
      h("div", { class: "headline" }, h("h1", {}, account.seller_id), band(account.band),
        account.levels.filter((level) => level.active && level.kind === "restriction_risk").length
          ? h("span", { class: "tag tag-bad" }, "Restriction risk") : null),
      h("p", { class: "id" }, account.marketplace_id || "no marketplace stated",
        account.covered_from && ` · orders known from ${day(account.covered_from)}`)),
    h("p", { class: "small" }, h("a", { href: `/api/v1${path}` }, "JSON"), " · ",
      h("a", { href: `/api/v1${path}/report` }, "Account-health report"))),
    h("div", { class: "grid cols-3" }, now(account, policy), room(account, policy),
      ahead(account, policy)),
    h("div", { class: "grid" }, card("The window, day by day", null,
      accountChart(account, policy))),
    h("div", { class: "grid cols-2" }, views(account), breakdown(account)),
    h("div", { class: "grid cols-2" }, timeline(account), h("div", {},
      h("div", { class: "grid" }, cycles(account, policy)),
      card("What to do", null, workItems(work, false)))),
    defects(account),
  ];
}

function now(account, policy) {
  const live = account.views.live.all;
  const gauge = h("div", { class: "gauge", "aria-hidden": "true" });
  const top = policy.critical_bp * 1.5;
  const bp = live.orders ? (live.defective_orders * 10_000) / live.orders : 0;
  const filled = h("i", { class: account.band });
  filled.style.width = `${Math.min(100, (bp / top) * 100)}%`;
  gauge.append(filled);
  for (const limit of [policy.warning_bp, policy.critical_bp]) {
    const mark = h("b");
    const text = h("span", {}, threshold(limit));
    for (const node of [mark, text]) node.style.left = `${(limit / top) * 100}%`;
    gauge.append(mark, text);
  }
  const open = live.provisional_only;
  const band_ = open ? `${count(open)} of the defective orders ${open === 1 ? "is" : "are"} `
    + "provisional only: an open claim or chargeback that may still be won." : null;
  return card("Rate now", `live: orders of ${day(account.views.live.window.from)} to `
    + `${day(account.views.live.window.to)}`,
  h("p", { class: "big-rate" }, rate(live, [policy.warning_bp, policy.critical_bp])),
  h("p", { class: "num" }, fraction(live)), gauge, band_ && h("p", { class: "small muted" }, band_));
}

function room(account, policy) {
  const lines = account.levels.filter((level) => level.scope === "all" && level.view === "live")
    .map((level) => [h("dt", {}, `${alertKind(level.kind)} (above ${limitOf(level)})`),
      h("dd", {}, level.active ? "up" : "not up")]);
  const live = account.views.live;
  const few = live.all.orders * policy.warning_bp < 10_000 && live.all.orders > 0;
  return card("Room left", "before the thresholds are passed",
    h("p", { class: "lead" }, sentence(headroom(live.headroom, threshold(policy.warning_bp)))),
    h("p", {}, sentence(headroom(live.headroom_critical, threshold(policy.critical_bp)))),
    few && h("p", { class: "small muted" },
      "With so few orders a single defect is above the first threshold."),
    h("dl", { class: "pairs small rule" }, lines));
}

function limitOf(level) {
  return threshold(Math.round(Number(level.threshold) * 10_000));
}

function ahead(account, policy) {
  const { forecast } = account;
  const limit = threshold(policy.warning_bp);
  const live = account.views.live.all;
  const isAbove = live.defective_orders * 10_000 > policy.warning_bp * live.orders;
  const last = forecast.days[forecast.days.length - 1];
  let text = `At or below ${limit} today.`;
  if (isAbove && forecast.recovers_on) {
    const bad = forecast.defective_leaving
      ? ` (${counted(forecast.defective_leaving, "defective order")} among them)` : "";
    text = `At ${limit} or below again on ${day(forecast.recovers_on)}`
      + `${forecast.leaves ? `, when the orders of ${day(forecast.leaves)} leave${bad}` : ""}.`;
  } else if (isAbove) {
    text = "It does not recover by itself within the window.";
  }
  const worst = forecast.days.reduce((most, item) => (item.orders
    && item.defective_orders * most.orders > most.defective_orders * item.orders ? item : most),
  { orders: live.orders || 1, defective_orders: live.defective_orders, as_of: null });
  const rises = worst.as_of !== null && !isAbove
    && worst.defective_orders * 10_000 > policy.warning_bp * worst.orders;
  return card("Forecast", "as orders leave the window, with no new order and no new defect",
    h("p", { class: "lead" }, text),
    rises && h("p", {}, `But good orders leave too: it reaches `
      + `${percent(worst.defective_orders, worst.orders)} on ${day(worst.as_of)} without any `
      + "new defect."),
    last && h("p", { class: "small muted" }, "New orders make it better than this, new defects "
      + "worse."));
}

function views(account) {
  const row = (name, text, view) => [["all", "All orders"], ["mfn", "Seller-fulfilled"],
    ["afn", "Amazon-fulfilled"]].map(([scope, words], index) => h("tr", {},
    index === 0 ? h("th", { scope: "rowgroup", rowspan: 3 }, text,
      h("span", { class: "sub muted" }, h("br"), `${day(view.window.from)} – `
        + `${day(view.window.to)}`)) : null,
    h("td", {}, words), h("td", { class: "r" }, h("span", { class: "rate" }, rate(view[scope])),
      h("span", { class: "sub" }, fraction(view[scope])))));
  return card("Live and official", "the official view ends some days earlier, as in the "
    + "marketplace's own report", table("Live and official view", ["View", "Orders",
    { text: "Rate", right: true }], [row("live", "Live", account.views.live),
    row("official", "Official", account.views.official)]));
}

function breakdown(account) {
  const { all, mfn, afn } = account.views.live;
  const kinds = ["negative_feedback", "claim", "chargeback"].map((kind) => h("tr", {},
    h("td", {}, capital(defectKind(kind, 2))), ...[all, mfn, afn].map((rates) =>
      h("td", { class: "r" }, count(rates.by_kind[kind])))));
  kinds.push(h("tr", {}, h("td", {}, h("strong", {}, "Defective orders")),
    ...[all, mfn, afn].map((rates) => h("td", { class: "r" },
      h("strong", {}, count(rates.defective_orders))))));
  return card("By kind and channel", "live; an order counts once, however many kinds it has, so "
    + "the kinds may add up to more", table("Defects by kind and channel", ["Orders with",
    { text: "All", right: true }, { text: "Seller", right: true },
    { text: "Amazon", right: true }], kinds));
}

function sentence(text) {
  return `${capital(text)}.`;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function timeline(account) {
  return card("Alerts", null, account.alerts.length
    ? h("ul", { class: "timeline" }, account.alerts.map((alert) => alertItem(alert, false)))
    : empty("No alerts", "This account has not passed a threshold lately."));
}

function cycles(account, policy) {
  const { current, past } = account.cycles;
  const rows = past.map((cycle) => h("tr", {}, h("td", {}, `${day(cycle.from)} – ${day(cycle.to)}`),
    h("td", { class: "r" }, cycle.orders === null ? "–"
      : percent(cycle.defective_orders, cycle.orders)),
    h("td", {}, h("span", { class: `tag ${cycle.over ? "tag-bad" : "tag-good"}` },
      cycle.over ? `over, ${cycle.streak} in a row` : "not over"))));
  return card("Cycles", `judged every ${counted(policy.cycle_days, "day")}, against `
    + `${threshold(policy.restriction_bp)}`,
  h("p", {}, `This one: ${day(current.from)} to ${day(current.to)}, judged at `
    + `${instant(current.closes_at)}.`),
  rows.length ? table("Cycles", ["Cycle", { text: "Rate", right: true }, "Verdict"], rows)
    : h("p", { class: "muted small" }, account.cycles.streak
      ? `${counted(account.cycles.streak, "cycle")} over so far.` : "No cycle was over so far."));
}

function defects(account) {
  const rows = account.defects.map((item) => h("tr", {},
    h("td", {}, h("span", { class: `id num ${item.counted ? "" : "struck"}` }, item.order_id),
      h("span", { class: "sub" }, `${day(item.purchase_day)}, ${item.channel.toUpperCase()}`)),
    h("td", {}, h("span", { class: item.struck ? "struck" : undefined },
      capital(defectKind(item.kind))), item.ref && h("span", { class: "sub id" }, item.ref)),
    h("td", {}, item.state.replaceAll("_", " "), item.rating
      && h("span", { class: "sub" }, counted(item.rating, "star"))),
    h("td", {}, h("span", { class: `tag ${item.counted ? "tag-bad" : "tag-good"}` },
      item.counted ? (item.provisional ? "counts, provisional" : "counts") : "does not count"),
    h("span", { class: "sub" }, item.why)),
    h("td", { class: "num" }, instant(item.event_time))));
  const all = account.defects_total > rows.length
    ? `the ${count(rows.length)} newest of ${count(account.defects_total)}` : null;
  return h("section", { class: "card flush", "aria-label": "Defects" },
    h("div", { class: "card-head" }, h("h2", {}, "Defects by order"),
      all && h("p", { class: "muted small" }, all)),
    rows.length ? table("Defects by order", ["Order", "Kind", "State", "Counts?", "Since"], rows)
      : empty("No defects", "No order within the horizon has one."));
}
