// Records that could not be used, and why. What they hold is never shown.

import { card, empty, failure, h, replace, table } from "../dom.js";
import { get } from "../api.js";
import { follow } from "../live.js";
import { count, instant } from "../format.js";

const REFRESH_MS = 2000;

/** What each reason means, and what helps. */
export const REASONS = {
  too_large: "The value is longer than the limit.",
  schema_framed: "The value starts with a schema registry's frame; plain JSON is read.",
  parse: "The value is not JSON in UTF-8.",
  duplicate_key: "A known field stands twice in the object.",
  missing_field: "A field that every record must have is not there.",
  bad_value: "A field has a wrong type, range or format.",
  misrouted: "The record is in another partition than its seller's: look at the producer's "
    + "partitioner.",
  bad_time: "The event's time is before 2000, or later than the record's.",
  purchase_in_future: "The order's purchase is later than the event that tells of it.",
};

/** Shows the page; the answer ends it. */
export async function deadLetters(context) {
  const load = async () => {
    const answer = await get("/dead-letters", { limit: 100 });
    if (!context.isShown()) return;
    context.seen(answer.meta);
    replace(context.main,
      h("div", { class: "page-head" }, h("div", {}, h("h1", {}, "Dead letters"),
        h("p", {}, "Records that could not be used. Nothing is lost: their bytes, and why, are in "
          + "the dead-letter topic."))),
      reasons(answer), recent(answer));
  };
  await load();
  const again = () => load().catch((error) => context.isShown()
    && replace(context.main, failure(error, again)));
  return follow(["dead_letter"], again, REFRESH_MS);
}

function reasons(answer) {
  const rows = Object.entries(answer.by_reason).sort((a, b) => b[1] - a[1]);
  return h("div", { class: "grid" }, card("By reason", "since the process started", rows.length
    ? table("Dead letters by reason", ["Reason", "What it means",
      { text: "Records", right: true }], rows.map(([reason, number]) => h("tr", {},
      h("td", {}, h("code", {}, reason)), h("td", {}, REASONS[reason] ?? ""),
      h("td", { class: "r" }, count(number)))))
    : empty("None", "Every record could be used.")));
}

function recent(answer) {
  return h("section", { class: "card flush", "aria-label": "The latest" },
    h("div", { class: "card-head" }, h("h2", {}, "The latest")),
    answer.items.length ? table("The latest dead letters",
      ["When", "Where", "Reason", "Message"], answer.items.map((item) => h("tr", {},
        h("td", { class: "num" }, instant(item.at)),
        h("td", { class: "num" }, `${item.topic} ${item.partition} @ ${item.offset}`),
        h("td", {}, h("code", {}, item.reason)), h("td", { class: "id" }, item.message))))
      : empty("None", "Since the process started, no record was refused."));
}
