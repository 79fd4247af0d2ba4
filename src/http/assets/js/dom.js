// Building the page. Everything that comes from outside becomes a text node or an attribute's
// value, never markup; no code here, or anywhere in the pages, sets innerHTML.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element with attributes (a function is a listener) and children (text or nodes). */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** Appends texts and nodes, in depth; what is absent is left out. */
export function append(element, children) {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Puts new children in the place of the old ones, and keeps the focus where it was by its key. */
export function replace(element, ...children) {
  const key = document.activeElement?.closest?.("[data-key]")?.dataset.key;
  element.replaceChildren();
  append(element, children);
  if (key === undefined || element.contains(document.activeElement)) return;
  for (const node of element.querySelectorAll("[data-key]")) {
    if (node.dataset.key === key) {
      node.focus({ preventScroll: true });
      return;
    }
  }
}

/** A card with a heading, and a line of explanation under it. */
export function card(title, sub, ...children) {
  return h("section", { class: "card", "aria-label": title },
    h("h2", {}, title), sub && h("p", { class: "sub" }, sub), children);
}

/** A table in a frame of its own, which scrolls sideways where the page is narrow. */
export function table(caption, heads, rows) {
  const cells = heads.map((head) => (head instanceof Node ? head
    : h("th", { scope: "col", class: head.right ? "r" : undefined }, head.text ?? head)));
  return h("div", { class: "table-wrap", tabindex: 0, role: "group", "aria-label": caption },
    h("table", {}, h("caption", { class: "sr" }, caption),
      h("thead", {}, h("tr", {}, cells)), h("tbody", {}, rows)));
}

/** What stands where nothing is: what it means, and what to do. */
export function empty(title, text) {
  return h("div", { class: "empty" }, h("strong", {}, title), text);
}

/** The host and port of an address such as `//host:port/path`. */
function memberOf(address) {
  return new URL(address, location.href).host;
}

/** The page of another member, by its host and port or an address there. */
export function memberPage(address, hash = "") {
  const member = address.startsWith("//") ? memberOf(address) : address;
  return `//${member}/${hash}`;
}

/** What stands where an answer should be. */
export function failure(error, retry) {
  return h("section", { class: "card failure", role: "alert" },
    h("h2", {}, error.title ?? "The answer did not come"),
    h("p", {}, error.message),
    error.location
      ? h("p", {}, h("a", { href: memberPage(error.location, location.hash) },
        `Open this page at ${memberOf(error.location)}`))
      : error.hint && h("p", { class: "muted" }, error.hint),
    retry && h("button", { class: "button", type: "button", click: retry }, "Try again"));
}

/** What a list does not show because other members have it, with ways there; nothing if all is here. */
export function elsewhere(meta) {
  const { answered, total, elsewhere: others } = meta.shards;
  if (others.length === 0) return null;
  const members = [...new Set(others.map((item) => item.owner).filter(Boolean))].sort();
  const links = members.flatMap((member, index) => [index > 0 && ", ",
    h("a", { href: memberPage(member, location.hash) }, member)]);
  const rest = others.filter((item) => !item.owner).length;
  return h("span", { class: "elsewhere" }, ` · ${answered} of ${total} shards are here`,
    members.length > 0 && ["; others are at ", links],
    rest > 0 && `; of ${rest} no member is known`);
}
