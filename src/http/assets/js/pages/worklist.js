// What to do next, for one seller or for all: the action that saves most first.

import { empty, failure, h, replace } from "../dom.js";
import { get } from "../api.js";
import { follow } from "../live.js";
import { count, counted, day, duration, instant, percent, sellerLink } from "../format.js";
import { defectKind } from "../words.js";

const PAGE = 25;
const REFRESH_MS = 5000;
const SOON_MS = 3 * 86_400_000;

const ACTIONS = {
  request_removal: "Ask for removal",
  answer_claim: "Answer the claim",
  answer_chargeback: "Answer the chargeback",
  appeal_claim: "Appeal",
  review_removal: "Look whether it may be removed",
  repair_order: "Put the order right",
  respond_publicly: "Answer in public",
};
const WHY = {
  request_removal: "A rule of the marketplace applies.",
  review_removal: "A rule of the marketplace may apply; a person must look before asking.",
  answer_claim: "Not answered in time, it is granted.",
  answer_chargeback: "Not answered in time, it is lost.",
  appeal_claim: "It was granted and can still be appealed against.",
  repair_order: "No rule lets it be removed; its buyer can still change it once the order is right.",
  respond_publicly: "Nothing else is left: an answer tells other buyers that it is dealt with.",
};
const RULES = {
  obscene: "obscene language",
  personal_data: "personal information of the seller",
  product_review: "a product review and nothing else",
  fulfilled_by_amazon: "fulfilled by Amazon, and about its delivery",
  buy_shipping: "shipped on time with Buy Shipping",
};
const VERDICTS = { eligible: "applies", uncertain: "may apply", not: "does not apply" };
const REASONS = {
  late: "late", not_received: "not received", damaged: "damaged", wrong_item: "wrong item",
  not_as_described: "not as described", quality: "quality", rude_or_no_answer: "rude or no answer",
  return_or_refund: "return or refund", other: "other",
};
const STEPS = {
  buyer_edit: "the buyer can change it", removal_request: "its removal can be asked for",
  claim_answer: "it can be answered", claim_appeal: "it can be appealed against",
  chargeback_answer: "it can be answered",
};
const WANTED = {
  tracking: "the carrier's tracking", proof_of_delivery: "proof of delivery",
  proof_of_shipping_on_time: "proof of shipping on time",
  buyer_messages: "messages with the buyer", refund_or_replacement: "a refund or replacement given",
  listing: "the listing as it was", invoice: "the invoice", new_facts: "what is new since the answer",
};
const DRAFTS = {
  removal_request: "Removal request", public_response: "Public response",
  buyer_message: "Message to the buyer", follow_up: "Follow-up after the repair",
};
const LANGUAGES = {
  en: "English", de: "Deutsch", fr: "Français", es: "Español", it: "Italiano", pt: "Português",
  ja: "日本語",
};

/** Shows the page; the answer ends it. */
export async function worklist(context) {
  const wanted = { language: "", limit: PAGE };
  const list = h("div", {});
  const said = h("p", { class: "muted", role: "status" });
  let pages = 1;
  let turn = 0;
  const load = async () => {
    turn += 1;
    const mine = turn;
    let answer = await get("/worklist", wanted);
    const items = [...answer.items];
    for (let page = 1; page < pages && answer.next_cursor; page += 1) {
      answer = await get("/worklist", { ...wanted, cursor: answer.next_cursor });
      items.push(...answer.items);
    }
    if (mine !== turn || !context.isShown()) return;
    context.seen(answer.meta);
    said.textContent = summary(answer);
    const opened = openItems(list);
    replace(list, shares(answer.shares, true), h("section", { class: "card", "aria-label": "Worklist" },
      workItems({ ...answer, items }, true),
      answer.next_cursor && h("div", { class: "more" },
        h("span", { class: "muted" }, `${count(items.length)} of ${count(answer.total)} shown`),
        h("button", { class: "button", type: "button", "data-key": "more",
          click: () => { pages += 1; again(); } }, "Show more"))));
    reopen(list, opened);
  };
  const again = () => load().catch((error) => context.isShown()
    && replace(list, failure(error, again)));
  replace(context.main, h("div", { class: "page-head" }, h("div", {}, h("h1", {}, "Worklist"), said),
    languageField((language) => { wanted.language = language; again(); })), list);
  await load();
  return follow(["changed"], again, REFRESH_MS);
}

/** A choice of the language of drafts. */
export function languageField(change) {
  const select = h("select", { change: () => change(select.value) },
    h("option", { value: "" }, "As the buyer or marketplace"),
    Object.entries(LANGUAGES).map(([id, name]) => h("option", { value: id, lang: id }, name)));
  return h("label", { class: "field" }, "Drafts in", select);
}

function summary(answer) {
  const { looked_at: looked, with_defects: all } = answer.accounts;
  const over = looked < all ? `the ${count(looked)} at most risk of ${counted(all, "account")}`
    : counted(all, "account");
  return `${counted(answer.total, "thing")} to do over ${over} with defects, what saves most first.`;
}

/** That the share of orders fulfilled by Amazon makes a headline look better. */
export function shares(items, withSeller) {
  if (!items.length) return null;
  const shown = withSeller ? items.filter((item) => item.hides_target).slice(0, 5) : items;
  return shown.map((item) => {
    const { headline: all, seller_fulfilled: own } = item;
    const limit = item.hides_target ? " The headline meets the target, those orders do not." : "";
    return h("p", { class: item.hides_target ? "notice bad" : "notice" }, h("span", {},
      withSeller && [sellerOf(item), ": "],
      `${percent(own.defective_orders, own.orders)} of the orders that the seller fulfils are `
      + `defective, ${percent(all.defective_orders, all.orders)} of all. Orders fulfilled by Amazon `
      + `make the headline look better than what is in the seller's hands.${limit}`));
  });
}

function sellerOf(item) {
  return h("a", { class: "id", href: sellerLink(item.seller_id, item.marketplace_id) },
    item.seller_id);
}

/** The items of a worklist, or what stands in their place. */
export function workItems(answer, withSeller) {
  const { items, left_alone: left } = answer;
  const them = left === 1 ? "it" : "them";
  const leftOver = left ? `${counted(left, "more defect")} ${left === 1 ? "counts" : "count"}, and `
    + `nothing can be done about ${them}, or no longer.` : "";
  if (!items.length) {
    return empty("Nothing to do", left ? leftOver.replace("more ", "")
      : "No defect counts that calls for an action. That is as it should be.");
  }
  return [h("ol", { class: "work" }, items.map((item) => workItem(item, withSeller))),
    leftOver && h("p", { class: "small muted rule" }, leftOver)];
}

/** What is open of a list, by the keys of its items. */
export function openItems(root) {
  const open = [...root.querySelectorAll("details[data-item][open]")];
  return new Set(open.map((item) => item.dataset.item));
}

/** Opens again what was open. */
export function reopen(root, opened) {
  for (const item of root.querySelectorAll("details[data-item]")) {
    item.open = opened.has(item.dataset.item);
  }
}

function workItem(item, withSeller) {
  const key = [item.seller_id, item.marketplace_id, item.order_id, item.kind, item.ref].join("|");
  return h("li", {}, h("div", { class: "work-head" },
    h("h3", {}, ACTIONS[item.action] ?? item.action), tag(item), deadline(item)),
  h("p", { class: "why" }, capital(defectKind(item.kind)), " on order ",
    h("span", { class: "id num" }, item.order_id), withSeller && [", ", sellerOf(item)],
    item.rating && `, ${counted(item.rating, "star")}`,
    item.comment && `, reason: ${REASONS[item.comment.reason] ?? item.comment.reason}`,
    `. ${why(item)}`),
  h("p", { class: "small num" }, gain(item)),
  rules(item, key), documents(item),
  item.drafts.length ? h("details", { "data-item": `${key}|drafts` },
    h("summary", { "data-key": `${key}|drafts` }, drafted(item.drafts)),
    item.drafts.map((one) => draft(one, key))) : null);
}

function why(item) {
  if (item.action === "repair_order" && !item.comment) {
    return "Its buyer can still change it once the order is right.";
  }
  return WHY[item.action] ?? "";
}

function tag(item) {
  if (item.first) return h("span", { class: "tag tag-bad" }, "First: the account is above its target");
  if (item.provisional) return h("span", { class: "tag" }, "Counts until it is decided");
  return null;
}

function deadline(item) {
  const moot = Date.parse(`${item.moot_on}T00:00:00Z`);
  const until = item.until ? Date.parse(item.until) : Infinity;
  if (moot <= until) {
    return h("span", { class: "due muted small num" }, `of use before ${day(item.moot_on)}, `
      + `${duration(Math.max(moot - Date.now(), 0))} left`);
  }
  const left = until - Date.now();
  return h("span", { class: `due small num ${left < SOON_MS ? "soon" : "muted"}`,
    title: instant(item.until) },
  `until ${day(item.until.slice(0, 10))}, ${left > 0 ? `${duration(left)} left` : "just over"}`);
}

function gain(item) {
  const { now, after, defects_of_order: defects } = item.gain;
  const rates = (pair) => percent(pair.defective_orders, pair.orders);
  if (defects === 1) {
    const room = item.gain.defects_left_after;
    const left = room ? `, with room for ${counted(room, "more defective order")}` : "";
    return `${rates(now)} now, ${rates(after)} without it${left}.`;
  }
  if (defects > 1) {
    return `Saves nothing alone: ${counted(defects, "defect")} of this order have to go, then `
      + `${percent(now.defective_orders - 1, now.orders)} instead of ${rates(now)}.`;
  }
  const { official_now: before, official_after: then } = item.gain;
  if (then.defective_orders < before.defective_orders) {
    return `Out of the live rate; officially ${rates(before)} now, ${rates(then)} without it.`;
  }
  return "Does not move the rate: another defect of this order stays.";
}

function rules(item, key) {
  const read = item.comment?.rules ?? [];
  const told = read.filter((rule) => rule.verdict !== "not");
  if (!told.length) return null;
  return h("details", { "data-item": `${key}|rules` },
    h("summary", { "data-key": `${key}|rules` }, `Verdict: ${told.map((rule) =>
      `${RULES[rule.rule] ?? rule.rule} ${VERDICTS[rule.verdict] ?? rule.verdict}`).join("; ")}`),
    h("dl", { class: "verdicts small" }, read.map((rule) => [
      h("dt", {}, capital(RULES[rule.rule] ?? rule.rule)),
      h("dd", {}, h("strong", {}, VERDICTS[rule.verdict] ?? rule.verdict),
        found("for it", rule.evidence), found("against it", rule.blockers))])),
    h("p", { class: "small muted" }, item.deadlines.map((one) =>
      capital(`${STEPS[one.step] ?? one.step} until ${instant(one.until)}.`)).join(" "),
    ` It no longer matters from ${day(item.moot_on)}.`));
}

function found(words, list) {
  if (!list.length) return null;
  const one = (item) => `${item.kind.replaceAll("_", " ")}${item.text ? ` “${item.text}”` : ""}`;
  return h("span", { class: "sub" }, `${words}: ${[...new Set(list.map(one))].join(", ")}`);
}

function documents(item) {
  if (!item.wanted.length) return null;
  return h("p", { class: "small muted" }, "Have at hand: ",
    item.wanted.map((one) => WANTED[one] ?? one).join(", "), ".");
}

function drafted(drafts) {
  return `${drafts.length === 1 ? "Draft" : "Drafts"} to copy: `
    + drafts.map((item) => (DRAFTS[item.kind] ?? item.kind).toLowerCase()).join(", ");
}

function draft(item, key) {
  const said = h("span", { class: "muted small", role: "status" });
  const text = h("pre", { lang: item.language, tabindex: 0 }, item.text);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(item.text);
      said.textContent = "Copied.";
    } catch {
      // A page that is not on this machine or not behind TLS has no clipboard.
      getSelection().selectAllChildren(text);
      said.textContent = "Selected: press Ctrl+C to copy.";
    }
  };
  const name = DRAFTS[item.kind] ?? item.kind;
  return h("div", { class: "draft" }, h("h4", {}, name, " ",
    h("span", { class: "muted small" }, LANGUAGES[item.language] ?? item.language)), text,
  h("button", { class: "button", type: "button", "aria-label": `Copy: ${name}`,
    "data-key": `${key}|copy|${item.kind}`, click: copy }, "Copy"), " ", said);
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
