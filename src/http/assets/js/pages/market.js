// The whole market: bands, the worst sellers, alerts, and how the service itself does.

import { card, empty, failure, h, replace, table } from "../dom.js";
import { get } from "../api.js";
import { follow } from "../live.js";
import { bandsChart } from "../chart.js";
import {
  count, counted, day, duration, fraction, instant, percent, threshold,
} from "../format.js";
import { BANDS } from "../words.js";
import { alertItem } from "./alerts.js";
import { riskTable } from "./sellers.js";

const REFRESH_MS = 2000;

/** Shows the page; the answer ends it. */
export async function market(context) {
  const load = async () => {
    const [summary, history, worst, recent, shards] = await Promise.all([
      get("/summary"), get("/market/history"), get("/sellers", { sort: "risk", limit: 8 }),
      get("/alerts", { limit: 6 }), get("/shards"),
    ]);
    if (!context.isShown()) return;
    context.seen(summary.meta);
    replace(context.main, head(summary), tiles(summary), [
      h("div", { class: "grid cols-wide" }, sellersAtRisk(worst, context.policy),
        recentAlerts(recent)),
      h("div", { class: "grid cols-2" }, bandsOverTime(history), deadLetters(summary)),
      health(shards),
    ]);
  };
  await load();
  const again = () => load().catch((error) => trouble(context, error));
  return follow(["summary", "alert", "shard", "dead_letter"], again, REFRESH_MS);
}

function trouble(context, error) {
  const old = context.main.querySelector(".failure");
  if (context.isShown() && !old) context.main.prepend(failure(error));
}

function head(summary) {
  const from = summary.meta.as_of ? `Orders of the ${summary.policy.window_days} days up to `
    + `${day(summary.meta.as_of)}, ${summary.policy.time_zone}.` : "Nothing has been read yet.";
  return h("div", { class: "page-head" }, h("div", {}, h("h1", {}, "The market"), h("p", {}, from)));
}

function tiles(summary) {
  const bands = summary.accounts.by_band;
  const above = (bands.warning ?? 0) + (bands.critical ?? 0);
  const live = summary.totals.live;
  const active = summary.active_alerts;
  return h("div", { class: "grid cols-4" },
    tile("Sellers above the target", count(above), `of ${counted(summary.accounts.total, "account")}`,
      split(summary.accounts)),
    tile("Restriction risk", count(active.restriction_risk ?? 0),
      `above ${threshold(summary.policy.restriction_bp)} for cycles in a row`),
    tile("Rate of the whole market", percent(live.defective_orders, live.orders), fraction(live)),
    tile("Alerts up now", count((active.warning ?? 0) + (active.critical ?? 0)),
      `${counted(active.critical ?? 0, "critical", "critical")}, `
      + `${counted(active.warning ?? 0, "warning")}`));
}

function tile(label, value, note, more) {
  return h("section", { class: "card kpi", "aria-label": label }, h("p", { class: "label" }, label),
    h("p", { class: "value" }, value), more, h("p", { class: "note" }, note));
}

function split(accounts) {
  const total = Math.max(accounts.total, 1);
  const bar = h("div", { class: "split", "aria-hidden": "true" });
  for (const [name] of BANDS) {
    const number = accounts.by_band[name] ?? 0;
    if (!number) continue;
    const part = h("i", { class: name });
    part.style.flexGrow = String(Math.max(number / total, 0.01));
    bar.append(part);
  }
  return bar;
}

function sellersAtRisk(worst, policy) {
  return h("section", { class: "card flush", "aria-label": "Sellers at risk" },
    h("div", { class: "card-head" }, h("h2", {}, "Sellers at risk")),
    worst.items.length ? riskTable(worst.items, policy, true)
      : empty("No sellers yet", "They appear with their first order."),
    h("div", { class: "more" }, h("a", { href: "#/sellers" }, `All ${counted(worst.total, "seller")}`)));
}

function recentAlerts(recent) {
  return card("Latest alerts", null, recent.items.length
    ? h("ul", { class: "timeline" }, recent.items.map((alert) => alertItem(alert, true)))
    : empty("No alerts yet", "The first appears here the moment it is committed."));
}

function bandsOverTime(history) {
  const samples = history.days.length > 2 ? history.days : history.minutes;
  const label = (item) => (item.as_of ? day(item.as_of) : item.at.slice(11, 16));
  return card("Sellers by band", "over the days that this process has seen", samples.length > 1
    ? bandsChart(samples, label)
    : empty("Not enough yet", "One sample is taken a minute, and one a day."));
}

function deadLetters(summary) {
  const reasons = Object.entries(summary.dead_letters.by_reason).sort((a, b) => b[1] - a[1]);
  return card("Dead letters", "records that could not be used, since the process started",
    reasons.length
      ? table("Dead letters by reason", ["Reason", { text: "Records", right: true }],
        reasons.map(([reason, number]) => h("tr", {}, h("td", {}, h("code", {}, reason)),
          h("td", { class: "r" }, count(number)))))
      : empty("None", "Every record could be read."),
    reasons.length ? h("p", { class: "small" }, h("a", { href: "#/dead-letters" }, "Look at them"))
      : null);
}

function health(shards) {
  const rows = shards.items.map((item) => h("tr", {},
    h("td", {}, item.shard),
    h("td", {}, h("span", { class: `tag ${item.state === "live" ? "tag-good" : "tag-bad"}` },
      item.state.replace("_", " ")), item.detail && h("span", { class: "sub" }, item.detail)),
    h("td", {}, item.boundary ? instant(item.boundary) : "–"),
    h("td", { class: "r" }, item.boundary ? duration(item.boundary_lag_ms) : "–"),
    h("td", { class: "r" }, count(item.lag.reduce((sum, part) => sum + (part.lag ?? 0), 0))),
    h("td", { class: "r" }, count(item.orders)),
    h("td", { class: "r" }, count(item.seq))));
  return h("section", { class: "card flush", "aria-label": "Shards" },
    h("div", { class: "card-head" }, h("h2", {}, "Shards")),
    rows.length ? table("Shards", ["Shard", "State", "Boundary", { text: "Behind", right: true },
      { text: "Records to read", right: true }, { text: "Orders", right: true },
      { text: "Alerts so far", right: true }], rows)
      : empty("No shards", "This process has no partitions; another member of the group has them."));
}
