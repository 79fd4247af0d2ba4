// What the numbers mean, in words: bands, alerts and defects.

import { s, h } from "./dom.js";
import { count, counted, day, percent, threshold } from "./format.js";

/** The bands from worst to best, with their word and what it means. */
export const BANDS = [
  ["critical", "Critical", "above 2 %"],
  ["warning", "Warning", "above 1 %"],
  ["watch", "Watch", "close to 1 %"],
  ["good", "Good", "below the target"],
  ["none", "No rate", "too few orders"],
];

const BAND_SHAPES = {
  critical: "M6 .5 11.5 11H.5z",
  warning: "M6 .5 11.5 6 6 11.5.5 6z",
  watch: "M1 1h10v10H1z",
  good: "M6 .8a5.2 5.2 0 1 1 0 10.4A5.2 5.2 0 0 1 6 .8z",
  none: "M1 5h10v2.4H1z",
};

const KINDS = {
  warning: "Warning",
  critical: "Critical",
  restriction_risk: "Restriction risk",
};

const DEFECTS = {
  negative_feedback: ["negative feedback", "negative feedbacks"],
  claim: ["A-to-z claim", "A-to-z claims"],
  chargeback: ["chargeback", "chargebacks"],
};

/** A band as a shape, a word and a colour. */
export function band(name) {
  const word = BANDS.find(([id]) => id === name)?.[1] ?? name;
  return h("span", { class: `band band-${name}` },
    s("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, s("path", { d: BAND_SHAPES[name] })),
    word);
}

/** The name of a kind of alert. */
export function alertKind(kind) {
  return KINDS[kind] ?? kind;
}

/** The name of a kind of defect, for one or several. */
export function defectKind(kind, number = 1) {
  const words = DEFECTS[kind] ?? [kind, kind];
  return words[number === 1 ? 0 : 1];
}

/** An alert's title: `Critical raised`. */
export function alertTitle(alert) {
  const state = { raised: "raised", cleared: "cleared", ongoing: "goes on" }[alert.state];
  return `${alertKind(alert.kind)} ${state ?? alert.state}`;
}

/** Where an alert stands if it is not about all orders as of today. */
export function alertScope(alert) {
  const scope = { mfn: "seller-fulfilled", afn: "Amazon-fulfilled" }[alert.scope];
  const view = alert.view === "official" ? "official view" : undefined;
  return [scope, view].filter(Boolean).join(", ");
}

/** An alert's reason: from what to what, and by which facts. */
export function alertReason(alert) {
  const limits = [Math.round(Number(alert.threshold) * 10_000)];
  const now = percent(alert.defective_orders, alert.orders, limits);
  const before = percent(alert.before.defective_orders, alert.before.orders, limits);
  const limit = threshold(limits[0]);
  const causes = changes(alert);
  if (alert.initial) {
    return `Already ${alert.kind === "warning" ? "above" : "over"} ${limit} when watching began: `
      + `${now}, ${alert.defective_orders} of ${counted(alert.orders, "order")}.`;
  }
  if (alert.kind === "restriction_risk" && alert.cycle) {
    const span = `the cycle ${day(alert.cycle.from)} to ${day(alert.cycle.to)}`;
    return alert.state === "cleared"
      ? `${now} at the end of ${span}: the streak above ${limit} is over.`
      : `${now} at the end of ${span}: above ${limit} for `
        + `${counted(alert.cycle.streak, "cycle")} in a row.`;
  }
  const move = before === now ? `${now}` : `${before} to ${now}`;
  return causes.length ? `${move}: ${causes.join(", ")}.` : `${move}.`;
}

function changes(alert) {
  const { change } = alert;
  const causes = [];
  const fresh = (alert.defects ?? []).filter((defect) => defect.new);
  for (const kind of Object.keys(DEFECTS)) {
    const some = fresh.filter((defect) => defect.kind === kind);
    if (some.length === 1) causes.push(`1 new ${defectKind(kind)} on order ${some[0].order_id}`);
    else if (some.length) causes.push(`${some.length} new ${defectKind(kind, some.length)}`);
  }
  if (change.defective_added && !fresh.length) {
    causes.push(`${counted(change.defective_added, "order")} became defective`);
  }
  if (change.defective_reversed) {
    causes.push(`${counted(change.defective_reversed, "defect")} reversed or removed`);
  }
  if (change.orders_expired) {
    const bad = change.defective_expired ? ` (${count(change.defective_expired)} defective)` : "";
    const left = day(previousDay(alert.window.from));
    causes.push(`${counted(change.orders_expired, "order")} of ${left}${bad} left the window`);
  }
  if (change.orders_added > 0) causes.push(`${counted(change.orders_added, "order")} added`);
  if (change.orders_added < 0) causes.push(`${counted(-change.orders_added, "order")} taken out`);
  return causes;
}

function previousDay(text) {
  return new Date(Date.parse(`${text}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10);
}

/** The room left before a threshold, in words. */
export function headroom(room, limit) {
  if (room.orders_needed > 0) {
    return `${counted(room.orders_needed, "good order")} more to be back at ${limit}`;
  }
  if (room.defects_left === 0) return `no defect left before ${limit} is passed`;
  return `${counted(room.defects_left, "more defective order")} until ${limit}`;
}
