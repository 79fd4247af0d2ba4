// All sellers: search, filters, and the list by risk.

import { elsewhere, empty, failure, h, replace, table } from "../dom.js";
import { get } from "../api.js";
import { follow } from "../live.js";
import { sparkline } from "../chart.js";
import { count, counted, day, fraction, rate, sellerLink, threshold } from "../format.js";
import { BANDS, band, headroom } from "../words.js";

const PAGE = 50;
const REFRESH_MS = 2000;
const TYPING_MS = 250;
const COLUMNS = [
  ["seller", "Seller"], ["risk", "Standing"], ["rate", "Rate"], ["orders", "Orders"],
  ["headroom", "Room left"],
];

/** Shows the page; the answer ends it. */
export async function sellers(context) {
  const wanted = {
    q: context.query.get("q") ?? "", band: context.query.get("band") ?? "", channel: "",
    marketplace: "", sort: "risk", order: "", limit: PAGE, cursor: "",
  };
  const list = h("section", { class: "card flush", "aria-label": "Sellers" });
  const said = h("p", { class: "muted", role: "status" });
  let pages = 1;
  let turn = 0;
  const load = async () => {
    turn += 1;
    const mine = turn;
    const items = [];
    let answer = await get("/sellers", { ...wanted, cursor: "" });
    items.push(...answer.items);
    for (let page = 1; page < pages && answer.next_cursor; page += 1) {
      answer = await get("/sellers", { ...wanted, cursor: answer.next_cursor });
      items.push(...answer.items);
    }
    if (mine !== turn || !context.isShown()) return;
    context.seen(answer.meta);
    replace(said, counted(answer.total, "account"), elsewhere(answer.meta));
    markets(answer.marketplaces);
    replace(list, items.length ? riskTable(items, context.policy, false, { wanted, change })
      : empty("No seller fits", "Take back a filter, or search for another part of the id."),
    answer.next_cursor && h("div", { class: "more" },
      h("span", { class: "muted" }, `${count(items.length)} of ${count(answer.total)} shown`),
      h("button", { class: "button", type: "button", "data-key": "more",
        click: () => { pages += 1; refresh(); } }, "Show more")));
  };
  const refresh = () => load().catch((error) => context.isShown()
    && replace(list, failure(error, refresh)));
  const change = (some) => {
    Object.assign(wanted, some);
    pages = 1;
    refresh();
  };
  const select = h("select", { change: () => change({ marketplace: select.value }) },
    h("option", { value: "" }, "All"));
  const markets = (names) => {
    const known = new Set([...select.options].map((option) => option.value));
    for (const name of names) {
      if (name && !known.has(name)) select.append(h("option", { value: name }, name));
    }
  };
  replace(context.main,
    h("div", { class: "page-head" }, h("div", {}, h("h1", {}, "Sellers"), said)),
    filters(wanted, change, select), list);
  await load();
  return follow(["changed", "alert"], refresh, REFRESH_MS);
}

function filters(wanted, change, select) {
  let timer = 0;
  const search = h("input", {
    type: "search", value: wanted.q, placeholder: "A part of the seller's id",
    autocomplete: "off", spellcheck: "false",
    input: () => {
      clearTimeout(timer);
      timer = setTimeout(() => change({ q: search.value.trim() }), TYPING_MS);
    },
  });
  const chosen = new Set(wanted.band.split(",").filter(Boolean));
  const chips = BANDS.map(([name, word]) => h("label", { class: "chip" }, h("input", {
    type: "checkbox", checked: chosen.has(name),
    change: (event) => {
      if (event.target.checked) chosen.add(name);
      else chosen.delete(name);
      change({ band: [...chosen].join(",") });
    },
  }), h("span", {}, word)));
  const channel = h("select", { change: () => change({ channel: channel.value }) },
    h("option", { value: "" }, "All"), h("option", { value: "mfn" }, "Seller-fulfilled"),
    h("option", { value: "afn" }, "Amazon-fulfilled"));
  return h("form", { class: "filters", role: "search", submit: (event) => event.preventDefault() },
    h("label", { class: "field grow" }, "Search", search),
    h("fieldset", { class: "chips" }, h("legend", {}, "Standing"), chips),
    h("label", { class: "field" }, "Channel", channel),
    h("label", { class: "field" }, "Marketplace", select));
}

/** The table of sellers; with a way to sort it, its heads are buttons. */
export function riskTable(items, policy, isShort, sorting) {
  const heads = COLUMNS.filter(([id]) => !isShort || id !== "orders")
    .map(([id, text]) => head(id, text, sorting));
  heads.splice(isShort ? 3 : 4, 0, h("th", { scope: "col", class: "hide-narrow" }, "15 days"));
  const list = table("Sellers by risk", heads, items.map((item) => row(item, policy, isShort)));
  // On a phone the rows are drawn as blocks; the roles keep it a table for a screen reader.
  const roles = { table: "table", thead: "rowgroup", tbody: "rowgroup", tr: "row",
    th: "columnheader", td: "cell" };
  for (const [tag, role] of Object.entries(roles)) {
    list.querySelectorAll(tag).forEach((node) => node.setAttribute("role", role));
  }
  list.querySelector("table").classList.add("stacked");
  return list;
}

function head(id, text, sorting) {
  const style = id === "orders" ? "r" : undefined;
  if (!sorting) return h("th", { scope: "col", class: style }, text);
  const { wanted, change } = sorting;
  const isOn = wanted.sort === id;
  const isUp = wanted.order === "asc" || (id === "seller" && wanted.order !== "desc");
  return h("th", {
    scope: "col", class: style,
    "aria-sort": isOn ? (isUp ? "ascending" : "descending") : undefined,
  }, h("button", {
    type: "button", "data-key": `sort-${id}`,
    click: () => change({ sort: id, order: isOn ? (isUp ? "desc" : "asc") : "" }),
  }, text));
}

function row(item, policy, isShort) {
  const limits = [policy.warning_bp, policy.critical_bp];
  const room = item.band === "none" ? "–" : headroom(item.headroom, threshold(policy.warning_bp));
  return h("tr", {},
    h("td", {}, h("a", { class: "row id", href: sellerLink(item.seller_id, item.marketplace_id),
      "data-key": `seller-${item.seller_id}-${item.marketplace_id}` }, item.seller_id),
    h("span", { class: "sub id" }, item.marketplace_id || "no marketplace stated")),
    h("td", {}, band(item.band), item.streak > 0
      && h("span", { class: "sub" }, `${counted(item.streak, "cycle")} over`)),
    h("td", {}, h("span", { class: "rate" }, rate(item.live, limits)),
      h("span", { class: "sub num" }, fraction(item.live))),
    !isShort && h("td", { class: "r" }, count(item.live.orders)),
    h("td", { class: "hide-narrow" }, sparkline(item.trend, policy.warning_bp)),
    h("td", {}, room, item.recovers_on
      && h("span", { class: "sub" }, `recovers ${day(item.recovers_on)} by itself`)));
}
