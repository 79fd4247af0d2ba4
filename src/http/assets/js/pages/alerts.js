// All recent alerts, with their reasons in words.

import { empty, failure, h, replace } from "../dom.js";
import { get } from "../api.js";
import { follow } from "../live.js";
import { counted, instant, sellerLink } from "../format.js";
import { alertReason, alertScope, alertTitle, defectKind } from "../words.js";

const PAGE = 50;
const REFRESH_MS = 1000;

/** Shows the page; the answer ends it. */
export async function alerts(context) {
  const wanted = { kind: "", state: "", seller: "", limit: PAGE };
  const list = h("section", { class: "card", "aria-label": "Alerts" });
  let pages = 1;
  const load = async () => {
    const items = [];
    let cursor = "";
    let answer;
    for (let page = 0; page < pages && (page === 0 || cursor); page += 1) {
      answer = await get("/alerts", { ...wanted, cursor });
      items.push(...answer.items);
      cursor = answer.next_cursor ?? "";
    }
    if (!context.isShown()) return;
    context.seen(answer.meta);
    replace(list, items.length
      ? h("ul", { class: "timeline" }, items.map((alert) => alertItem(alert, true)))
      : empty("No alerts", "None that fit this choice have been committed lately."),
    cursor && h("button", { class: "button", type: "button", "data-key": "more",
      click: () => { pages += 1; refresh(); } }, "Show older"));
  };
  const refresh = () => load().catch((error) => context.isShown()
    && replace(list, failure(error, refresh)));
  const choice = (label, name, options) => {
    const select = h("select", { change: () => {
      wanted[name] = select.value;
      pages = 1;
      refresh();
    } }, options.map(([value, text]) => h("option", { value }, text)));
    return h("label", { class: "field" }, label, select);
  };
  replace(context.main,
    h("div", { class: "page-head" }, h("div", {}, h("h1", {}, "Alerts"),
      h("p", {}, "Each stands in the topic exactly once, and can be reproduced from the topics."))),
    h("form", { class: "filters", submit: (event) => event.preventDefault() },
      choice("Kind", "kind", [["", "All"], ["warning", "Warning"], ["critical", "Critical"],
        ["restriction_risk", "Restriction risk"]]),
      choice("State", "state", [["", "All"], ["raised", "Raised"], ["ongoing", "Going on"],
        ["cleared", "Cleared"]])), list);
  await load();
  return follow(["alert"], refresh, REFRESH_MS);
}

/** An alert as an item of a timeline, with its seller if asked. */
export function alertItem(alert, withSeller) {
  const scope = alertScope(alert);
  const dot = alert.state === "cleared" ? "cleared" : alert.kind;
  return h("li", {}, h("span", { class: `dot ${dot}`, "aria-hidden": "true" }),
    h("div", {},
      h("p", {}, h("span", { class: "what" }, alertTitle(alert)),
        scope && h("span", { class: "muted" }, ` (${scope})`),
        withSeller && [" ", h("a", { class: "id", href: sellerLink(alert.seller_id,
          alert.marketplace_id) }, alert.seller_id)]),
      h("p", { class: "why" }, alertReason(alert)),
      alert.low_volume && h("p", { class: "when" },
        "Few orders: a single defect alone is above the threshold."),
      h("p", { class: "when num" }, instant(alert.boundary)),
      withSeller ? null : defects(alert)));
}

function defects(alert) {
  if (!alert.defects?.length) return null;
  return h("details", {}, h("summary", {}, `What counted then (${counted(alert.defects.length,
    "defect")}${alert.defects.length === 10 ? ", the newest" : ""})`),
  h("ul", { class: "small" }, alert.defects.map((defect) => h("li", {}, defectKind(defect.kind),
    " on order ", h("span", { class: "id num" }, defect.order_id),
    defect.new && [" ", h("span", { class: "tag tag-note" }, "new")]))));
}
