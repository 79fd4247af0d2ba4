// Numbers, days and names as people read them. Rates are pairs of integers and are cut, never
// rounded, so that 1.00 % never stands for something above 1 %.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_MS = 86_400_000;

/** `12345` as `12,345`. */
export function count(value) {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** `count` with its word: `1 order`, `2 orders`. */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/**
 * A rate in percent, cut after two decimals; with more (at most four) where two would make it
 * look as if it stood on a threshold (in basis points) that it is above.
 */
export function percent(defective, orders, thresholds = [100, 200]) {
  if (!orders) return "no rate";
  for (const places of [2, 3, 4]) {
    const scale = 10 ** places;
    const cut = Math.floor((defective * 100 * scale) / orders);
    const looksEqual = thresholds.some((bp) => cut === (bp * scale) / 100
      && defective * 10_000 > bp * orders);
    if (!looksEqual || places === 4) {
      const whole = Math.floor(cut / scale);
      return `${count(whole)}.${String(cut % scale).padStart(places, "0")}\u00a0%`;
    }
  }
  return "no rate";
}

/** `9 of 1,043 orders`. */
export function fraction(rates) {
  return `${count(rates.defective_orders)} of ${counted(rates.orders, "order")}`;
}

/** The rate of a `Rates`, in percent. */
export function rate(rates, thresholds) {
  return rates.rate === null ? "no rate"
    : percent(rates.defective_orders, rates.orders, thresholds);
}

/** A threshold in basis points: `1 %`, `0.75 %`. */
export function threshold(bp) {
  const text = `${Math.floor(bp / 100)}.${String(bp % 100).padStart(2, "0")}`;
  return `${text.replace(/\.?0+$/, "")}\u00a0%`;
}

/** `2026-12-14` as `14 Dec`, with its year where that is not this one's. */
export function day(text, now = new Date()) {
  if (!text) return "–";
  const [year, month, date] = text.split("-").map(Number);
  const short = `${date} ${MONTHS[month - 1]}`;
  return year === now.getUTCFullYear() ? short : `${short} ${year}`;
}

/** An instant as `24 Nov, 11:24:05 UTC`. */
export function instant(text) {
  return text ? `${day(text.slice(0, 10))}, ${text.slice(11, 19)} UTC` : "–";
}

/** A duration in ms, roughly: `0.8 s`, `4 min`, `3 h`. */
export function duration(ms) {
  if (ms < 0) return "0 s";
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / DAY_MS)} days`;
}

/** Bytes, roughly. */
export function bytes(value) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** The address of a seller's page. */
export function sellerLink(sellerId, marketplaceId) {
  return `#/seller/${encodeURIComponent(sellerId)}/${encodeURIComponent(marketplaceId || "-")}`;
}
