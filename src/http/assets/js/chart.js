// The drawings, in SVG. The chart of a seller has two panels whose columns belong together: under
// each day of the rate stands the day whose orders leave the window on it.

import { h, s } from "./dom.js";
import { count, counted, day, percent, threshold } from "./format.js";

const WIDTH = 960;
const LEFT = 46;
const RIGHT = 14;
const RATE_TOP = 18;
const RATE_HEIGHT = 176;
const GAP = 58;
const BAR_HEIGHT = 104;
const HEIGHT = RATE_TOP + RATE_HEIGHT + GAP + BAR_HEIGHT + 26;

/** The chart of one account: the rate, past and to come, over the defects by order day. */
export function accountChart(account, policy) {
  const model = read(account, policy);
  const readout = h("p", { class: "readout num", "aria-live": "off" }, resting(model));
  const svg = s("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": summary(model),
  }, ratePanel(model), barPanel(model), columns(model, readout));
  const frame = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Chart" }, svg);
  return h("figure", { class: "chart" }, frame, readout, legend(model), numbers(model));
}

function read(account, policy) {
  const { days } = account;
  // As many as there are days that have left the window and are still held: so the columns of both
  // panels belong together.
  const rolling = account.rolling.slice(policy.window_days - days.length);
  const ahead = account.forecast.days.slice(0, days.length - rolling.length);
  const rates = [...rolling.map((point) => ({ ...point, isPast: true })), ...ahead];
  const limits = [policy.warning_bp, policy.critical_bp];
  const rateOf = (point) => (point.orders ? (point.defective_orders / point.orders) * 10_000 : null);
  // The scale is made for what has happened: as the window empties, a forecast may go anywhere.
  const known = Math.max(...rolling.map((point) => rateOf(point) ?? 0));
  const coming = Math.max(...ahead.map((point) => rateOf(point) ?? 0));
  const top = niceTop(Math.max(known * 1.2, Math.min(coming, known * 1.8), limits[1] * 1.2));
  const most = Math.max(...days.map((item) => item.defective_orders), 3);
  const busiest = Math.max(...days.map((item) => item.orders), 1);
  const step = (WIDTH - LEFT - RIGHT) / days.length;
  return {
    account, policy, days, rates, limits, top, most, busiest, step, rateOf,
    today: rolling.length - 1,
    x: (index) => LEFT + step * index,
    middle: (index) => LEFT + step * (index + 0.5),
    y: (bp) => RATE_TOP + RATE_HEIGHT * (1 - Math.min(bp, top) / top),
  };
}

function niceTop(highest) {
  for (const top of [250, 300, 400, 500, 600, 800, 1000, 1500, 2000, 3000, 5000]) {
    if (highest <= top) return top;
  }
  return 10_000;
}

function ratePanel(model) {
  const { rates, limits, y, middle, today, top } = model;
  const bottom = RATE_TOP + RATE_HEIGHT;
  const parts = [
    s("text", { x: LEFT, y: 11, class: "strong" }, "Order Defect Rate, by day"),
    s("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: bottom, y2: bottom }),
    s("text", { x: LEFT - 8, y: bottom + 4, "text-anchor": "end" }, "0 %"),
    s("text", { x: LEFT - 8, y: RATE_TOP + 4, "text-anchor": "end" }, threshold(top)),
  ];
  limits.forEach((limit, index) => {
    // Where the two labels would touch, the upper one keeps clear of the lower.
    const shift = index === 1 && y(limits[0]) - y(limit) < 13 ? -5 : 4;
    parts.push(
      s("line", {
        class: `limit-${index + 1}`, x1: LEFT, x2: WIDTH - RIGHT, y1: y(limit), y2: y(limit),
      }),
      s("text", { class: `limit-text-${index + 1}`, x: LEFT - 8, y: y(limit) + shift,
        "text-anchor": "end" }, threshold(limit)),
    );
  });
  parts.push(
    s("line", { class: "today", x1: middle(today), x2: middle(today), y1: RATE_TOP, y2: bottom }),
    s("path", { class: "line", d: path(model, 0, today) }),
    beyond(model),
    s("path", { class: "forecast", d: path(model, today, rates.length - 1) }),
  );
  const now = model.rateOf(rates[today]);
  if (now !== null) {
    parts.push(s("circle", { class: "mark-point", cx: middle(today), cy: y(now), r: 4.5 }));
  }
  parts.push(...recovery(model), ...axisDays(model, bottom, (index) => rates[index].as_of, today));
  return parts;
}

/** Says so where the forecast leaves the scale. */
function beyond(model) {
  const { rates, rateOf, top, middle } = model;
  const index = rates.findIndex((point) => (rateOf(point) ?? 0) > top);
  if (index < 0) return null;
  return s("text", { x: middle(index) - 6, y: RATE_TOP + 10, "text-anchor": "end" },
    "few orders are left →");
}

function path(model, from, to) {
  const { rates, rateOf, middle, y } = model;
  let text = "";
  let pen = "M";
  for (let index = from; index <= to; index += 1) {
    const bp = rateOf(rates[index]);
    if (bp === null || bp > model.top) {
      pen = "M";
    } else {
      text += `${pen}${middle(index).toFixed(1)} ${y(bp).toFixed(1)}`;
      pen = "L";
    }
  }
  return text;
}

function recovery(model) {
  const { account, rates, middle, y, rateOf, limits, today } = model;
  const index = rates.findIndex((point) => point.as_of === account.forecast.recovers_on);
  if (index <= today) return [];
  const bp = rateOf(rates[index]) ?? 0;
  const isRight = middle(index) > WIDTH * 0.7;
  return [
    s("circle", { class: "recovery", cx: middle(index), cy: y(bp), r: 4.5 }),
    s("text", {
      class: "recovery-text", x: middle(index) + (isRight ? -9 : 9), y: y(bp) - 9,
      "text-anchor": isRight ? "end" : "start",
    }, `${threshold(limits[0])} again on ${day(rates[index].as_of)}`),
  ];
}

function barPanel(model) {
  const { days, most, busiest, x, step, policy } = model;
  const top = RATE_TOP + RATE_HEIGHT + GAP;
  const bottom = top + BAR_HEIGHT;
  const past = days.length - policy.window_days;
  const parts = [
    s("text", { x: LEFT, y: top - 22, class: "strong" }, "Defective orders, by order day"),
    s("text", { x: WIDTH - RIGHT, y: top - 22, "text-anchor": "end" },
      "each day stands under the day on which it leaves the window"),
    s("rect", { class: "past", x: x(0), y: top, width: step * past, height: BAR_HEIGHT }),
    s("rect", {
      class: "unripe", x: x(days.length - policy.lag_days), y: top,
      width: step * policy.lag_days, height: BAR_HEIGHT,
    }),
  ];
  const wide = Math.max(step - 2, 1);
  days.forEach((item, index) => {
    const volume = (item.orders / busiest) * BAR_HEIGHT;
    parts.push(s("rect", { class: "volume", x: x(index) + (step - wide) / 2, y: bottom - volume,
      width: wide, height: volume }));
    const sure = item.defective_orders - item.provisional_only;
    const bar = (number, from, style) => number > 0 && s("rect", {
      class: style, x: x(index) + (step - wide) / 2, width: wide,
      y: bottom - ((from + number) / most) * BAR_HEIGHT, height: (number / most) * BAR_HEIGHT,
    });
    parts.push(bar(sure, 0, "bar"), bar(item.provisional_only, sure, "bar provisional"));
  });
  parts.push(
    s("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: bottom, y2: bottom }),
    s("text", { x: LEFT - 8, y: bottom + 4, "text-anchor": "end" }, "0"),
    s("text", { x: LEFT - 8, y: top + 8, "text-anchor": "end" }, count(most)),
    ...axisDays(model, bottom, (index) => days[index].day, days.length - 1),
  );
  return parts;
}

function axisDays(model, bottom, dayOf, today) {
  const { middle, days } = model;
  const every = 10;
  const marks = [];
  for (let index = today % every; index < days.length; index += every) {
    if (index === today || Math.abs(index - today) < 4) continue;
    // A day with its year is about 80 wide: near the edge it ends there.
    const isNear = middle(index) + 40 > WIDTH;
    marks.push(s("text", {
      x: isNear ? WIDTH - 1 : middle(index), y: bottom + 17,
      "text-anchor": isNear ? "end" : "middle",
    }, day(dayOf(index))));
  }
  const isEdge = today === days.length - 1;
  marks.push(s("text", {
    class: "strong", x: isEdge ? WIDTH - RIGHT : middle(today), y: bottom + 17,
    "text-anchor": isEdge ? "end" : "middle",
  }, "today"));
  return marks;
}

function columns(model, readout) {
  const top = RATE_TOP;
  const height = RATE_HEIGHT + GAP + BAR_HEIGHT;
  return model.days.map((_, index) => s("rect", {
    class: "column", x: model.x(index), y: top, width: model.step, height,
    mouseenter: () => { readout.textContent = describe(model, index); },
    mouseleave: () => { readout.textContent = resting(model); },
    click: () => { readout.textContent = describe(model, index); },
  }));
}

function resting(model) {
  return `Point at a day to read it. Today: ${told(model.rates[model.today])}.`;
}

function told(point) {
  return `${percent(point.defective_orders, point.orders)}, `
    + `${count(point.defective_orders)} of ${counted(point.orders, "order")}`;
}

function describe(model, index) {
  const item = model.days[index];
  const point = model.rates[index];
  const bad = item.defective_orders ? `${count(item.defective_orders)} defective` : "none defective";
  const when = `${day(point.as_of)}: ${told(point)}${point.isPast ? "" : " (forecast)"}.`;
  return `${when} On that day the ${counted(item.orders, "order")} of ${day(item.day)} `
    + `(${bad}) ${point.isPast ? "left" : "leave"} the window.`;
}

function summary(model) {
  const { account, limits } = model;
  const forecast = account.forecast.recovers_on
    ? ` By the forecast it is at ${threshold(limits[0])} again on `
      + `${day(account.forecast.recovers_on)}.`
    : "";
  return `The Order Defect Rate of the last days and the forecast, over the defective orders by `
    + `order day. Today ${told(model.rates[model.today])}.${forecast} `
    + "The table below has all numbers.";
}

function legend(model) {
  const item = (style, text) => h("span", {}, h("i", { class: style }), text);
  return h("div", { class: "legend", "aria-hidden": "true" },
    item("k-line", "rate, then the forecast without new orders (dotted)"),
    item("k-bar", "defective orders"),
    item("k-provisional", "provisional only"),
    item("k-unripe", `last ${model.policy.lag_days} days: not yet in the official view`),
    item("k-past", "only in the official view"));
}

function numbers(model) {
  const rows = model.days.map((item, index) => {
    const point = model.rates[index];
    return h("tr", {},
      h("td", {}, day(item.day)), h("td", { class: "r" }, count(item.orders)),
      h("td", { class: "r" }, count(item.defective_orders)),
      h("td", {}, `${day(point.as_of)}${point.isPast ? "" : ", forecast"}`),
      h("td", { class: "r" }, percent(point.defective_orders, point.orders)));
  });
  const heads = ["Order day", "Orders", "Defective", "Leaves on", "Rate then"];
  return h("details", {}, h("summary", {}, "The numbers as a table"),
    h("div", { class: "table-wrap", tabindex: 0, role: "group", "aria-label": "The numbers" },
      h("table", {}, h("thead", {}, h("tr", {}, heads.map((head, index) => h("th",
        { scope: "col", class: [1, 2, 4].includes(index) ? "r" : undefined }, head)))),
      h("tbody", {}, rows))));
}

/** A small line of the last days' rates, with the threshold. */
export function sparkline(trend, limit) {
  const points = trend.map(([defective, orders]) => (orders ? (defective / orders) * 10_000 : null));
  const known = points.filter((point) => point !== null);
  if (known.length < 2) return h("span", { class: "muted small" }, "–");
  const top = Math.max(...known, limit * 1.25);
  const x = (index) => 2 + (index * 90) / (points.length - 1);
  const y = (bp) => 24 - (bp / top) * 22;
  let d = "";
  points.forEach((bp, index) => {
    if (bp !== null) d += `${d ? "L" : "M"}${x(index).toFixed(1)} ${y(bp).toFixed(1)}`;
  });
  const last = points.length - 1;
  const move = known[known.length - 1] - known[0];
  const word = Math.abs(move) < 1 ? "level" : move > 0 ? "rising" : "falling";
  return s("svg", { class: "spark", viewBox: "0 0 96 26", role: "img",
    "aria-label": `${word} over the last ${trend.length} days` },
  s("line", { class: "limit", x1: 2, x2: 92, y1: y(limit), y2: y(limit) }), s("path", { d }),
  points[last] !== null && s("circle", { cx: x(last), cy: y(points[last]), r: 2.4 }));
}

/** The accounts' bands over time, stacked: the worst at the bottom. */
export function bandsChart(samples, labelOf) {
  const order = ["critical", "warning", "watch", "none", "good"];
  const [width, height, left, bottom] = [640, 200, 40, 22];
  const inner = height - bottom - 8;
  const total = Math.max(...samples.map((item) => sum(item.by_band)), 1);
  const x = (index) => left + ((width - left - 6) * index) / Math.max(samples.length - 1, 1);
  const y = (value) => 8 + inner * (1 - value / total);
  const base = samples.map(() => 0);
  const areas = order.map((name) => {
    const low = [...base];
    samples.forEach((item, index) => { base[index] += item.by_band[name] ?? 0; });
    const up = base.map((value, index) => `${x(index).toFixed(1)} ${y(value).toFixed(1)}`);
    const down = low.map((value, index) => `${x(index).toFixed(1)} ${y(value).toFixed(1)}`).reverse();
    return s("path", { class: `area-${name}`, d: `M${up.join("L")}L${down.join("L")}z` });
  });
  const last = samples[samples.length - 1];
  const label = `Accounts by band over time; now ${order.slice(0, 3)
    .map((name) => `${last.by_band[name] ?? 0} ${name}`).join(", ")} of ${sum(last.by_band)}.`;
  return h("figure", { class: "chart" },
    s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
      areas,
      s("text", { x: left - 6, y: y(total) + 9, "text-anchor": "end" }, count(total)),
      s("text", { x: left - 6, y: y(0), "text-anchor": "end" }, "0"),
      s("line", { class: "axis", x1: left, x2: width - 6, y1: y(0), y2: y(0) }),
      s("text", { x: left, y: height - 4 }, labelOf(samples[0])),
      s("text", { x: width - 6, y: height - 4, "text-anchor": "end" }, labelOf(last))),
    h("div", { class: "legend" }, ["critical", "warning", "watch", "good", "none"].map((name) =>
      h("span", {}, h("i", { class: `k-${name}` }), name === "none" ? "no rate" : name))));
}

function sum(bands) {
  return Object.values(bands).reduce((total, value) => total + value, 0);
}
