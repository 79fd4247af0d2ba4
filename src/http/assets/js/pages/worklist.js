// What to do next, for one seller or for all: the action that saves most first.

import { empty, failure, h, replace } from "../dom.js";
import { get } from "../api.js";
import { follow } from "../live.js";
import { day, percent, sellerLink } from "../format.js";
import { defectKind } from "../words.js";

const REFRESH_MS = 5000;
const ACTIONS = {
  request_removal: "Ask for removal",
  answer_claim: "Answer the claim",
  appeal: "Appeal",
  answer_chargeback: "Answer the chargeback",
  respond_publicly: "Answer in public",
  contact_buyer: "Write to the buyer",
};
const DRAFTS = {
  removal_request: "Removal request",
  public_response: "Public response",
  buyer_message: "Message to the buyer",
  follow_up: "Follow-up after the repair",
};

/** Shows the page; the answer ends it. */
export async function worklist(context) {
  const load = async () => {
    const answer = await get("/worklist", { limit: 100 });
    if (!context.isShown()) return;
    context.seen(answer.meta);
    replace(context.main,
      h("div", { class: "page-head" }, h("div", {}, h("h1", {}, "Worklist"),
        h("p", {}, "What to do about defects, by what it saves and by when it must be done."))),
      h("section", { class: "card", "aria-label": "Worklist" }, workItems(answer, true)));
  };
  await load();
  const again = () => load().catch((error) => context.isShown()
    && replace(context.main, failure(error, again)));
  return follow(["changed"], again, REFRESH_MS);
}

/** The items of a worklist, or what stands in their place. */
export function workItems(answer, withSeller) {
  if (!answer.available) {
    return empty("No advice here", "This service was started without the care advice.");
  }
  if (!answer.items.length) return empty("Nothing to do", "No open defect calls for an action.");
  return h("ul", { class: "timeline" }, answer.items.map((item) => workItem(item, withSeller)));
}

function workItem(item, withSeller) {
  const { before, after } = item.gain;
  const gain = `${percent(before.defective_orders, before.orders)} now, `
    + `${percent(after.defective_orders, after.orders)} if it succeeds`;
  return h("li", {}, h("span", { class: "dot", "aria-hidden": "true" }), h("div", {},
    h("p", {}, h("span", { class: "what" }, ACTIONS[item.action] ?? item.action), ": ",
      defectKind(item.kind), " on order ", h("span", { class: "id num" }, item.order_id), " ",
      item.verdict && h("span", { class: `tag ${item.verdict === "eligible" ? "tag-good" : ""}` },
        item.verdict),
      withSeller && [" ", h("a", { class: "id",
        href: sellerLink(item.seller_id, item.marketplace_id) }, item.seller_id)]),
    h("p", { class: "why" }, item.summary),
    h("p", { class: "when num" }, gain, item.deadline && ` · until ${day(item.deadline)}`),
    item.drafts?.length ? h("details", {}, h("summary", {}, "Drafts to copy"),
      item.drafts.map(draft)) : null));
}

function draft(item) {
  const said = h("span", { class: "muted small", role: "status" });
  return h("div", { class: "draft" }, h("h3", {}, DRAFTS[item.kind] ?? item.kind),
    h("pre", { lang: item.language }, item.text),
    h("button", { class: "button", type: "button", click: async () => {
      await navigator.clipboard.writeText(item.text);
      said.textContent = "Copied.";
    } }, "Copy"), " ", said);
}
