// The pages of a running demo, in a real browser: node pages.mjs BASE [DIRECTORY FOR PICTURES]

import fs from "node:fs";
import { assert, open, run, violations, visit } from "./browser.mjs";

const [, , base, pictures] = process.argv;

const HOSTILE = [
  "<img src=x onerror=document.title='owned'>",
  "</script><script>document.title='owned'</script>",
  "\"><svg/onload=alert(1)>",
  "javascript:alert(1)",
  "L".repeat(64),
  "../..//%2e%2e?x#y",
];

const SIZES = [["desktop", 1280, 900], ["phone", 390, 844]];

async function ask(path) {
  const response = await fetch(`${base}/api/v1${path}`);
  assert(response.ok, `${path}: ${response.status}`);
  return response.json();
}

async function hashes() {
  const { items: [worst] } = await ask("/sellers?sort=risk&limit=1");
  const account = `${encodeURIComponent(worst.seller_id)}/`
    + encodeURIComponent(worst.marketplace_id || "-");
  return { market: "#/", sellers: "#/sellers", seller: `#/seller/${account}`, alerts: "#/alerts",
    worklist: "#/worklist", "dead-letters": "#/dead-letters" };
}

/** The texts of a column of the table of sellers. */
function column(page, number) {
  return page.locator(`main tbody tr td:nth-child(${number})`).allInnerTexts();
}

/** Waits until the first cells of the table are such that the test holds. */
async function until(page, number, holds, what) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const texts = await column(page, number);
    if (texts.length > 0 && holds(texts)) return texts;
    assert(Date.now() < deadline, `${what}: ${JSON.stringify(texts)}`);
    await page.waitForTimeout(100);
  }
}

const numbers = (texts) => texts.map((text) => Number(text.replaceAll(",", "")));
const isSorted = (list, before) => list.every((item, at) => at === 0 || before(list[at - 1], item));

await run({
  "every page is whole at both widths, light and dark, and axe finds nothing serious":
  async (browser) => {
    for (const [size, width, height] of SIZES) {
      for (const colorScheme of ["light", "dark"]) {
        const { page, close } = await open(browser, base, { width, height, colorScheme });
        for (const [name, hash] of Object.entries(await hashes())) {
          await visit(page, base, hash);
          const where = `${name}, ${size}, ${colorScheme}`;
          assert(await page.locator("h1").count() === 1, `${where}: one h1`);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert(wide <= 0, `${where}: ${wide} pixels too wide`);
          const found = await violations(page);
          assert(found.length === 0, `${where}: ${found.join("\n")}`);
          if (pictures) {
            fs.mkdirSync(pictures, { recursive: true });
            await page.screenshot({ path: `${pictures}/${name}-${size}-${colorScheme}.png`,
              fullPage: size === "phone" });
          }
        }
        const shade = await page.evaluate(() => getComputedStyle(document.body).backgroundColor
          .match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0));
        assert((shade < 380) === (colorScheme === "dark"), `${colorScheme}: ${shade}`);
        await close();
      }
    }
  },

  "a part of an id finds the seller": async (browser) => {
    const { items: [worst] } = await ask("/sellers?sort=risk&limit=1");
    const { page, close } = await open(browser, base);
    await visit(page, base, "#/sellers");
    const part = worst.seller_id.slice(3, 11).toLowerCase();
    await page.getByRole("searchbox").fill(part);
    const holds = (texts) => texts.every((text) => text.toLowerCase().includes(part));
    await until(page, 1, holds, `rows with ${part}`);
    await page.getByRole("searchbox").fill("nobody has this id");
    await page.getByText("No seller fits").waitFor();
    await close();
  },

  "filters keep what they name": async (browser) => {
    const { page, close } = await open(browser, base);
    await visit(page, base, "#/sellers");
    await page.getByRole("checkbox", { name: "Critical" }).check();
    await until(page, 2, (texts) => texts.every((text) => text.startsWith("Critical")), "critical");
    await page.getByLabel("Channel").selectOption("afn");
    const { total } = await ask("/sellers?band=critical&channel=afn");
    await page.getByText(total === 1 ? "1 account" : `${total} accounts`).first().waitFor();
    await close();
  },

  "heads of columns sort both ways and say so": async (browser) => {
    const { page, close } = await open(browser, base);
    await visit(page, base, "#/sellers");
    const head = page.locator("th", { hasText: "Orders" });
    await head.getByRole("button").click();
    const falls = (texts) => isSorted(numbers(texts), (left, right) => left >= right);
    await until(page, 4, falls, "the most first");
    assert(await head.getAttribute("aria-sort") === "descending", "aria-sort");
    await head.getByRole("button").click();
    await until(page, 4, (texts) => isSorted(numbers(texts), (left, right) => left <= right)
      && !falls(texts), "the fewest first");
    assert(await head.getAttribute("aria-sort") === "ascending", "aria-sort");
    await close();
  },

  "the keyboard alone leads to a seller and back": async (browser) => {
    const { page, close } = await open(browser, base);
    await visit(page, base, "#/sellers");
    await page.keyboard.press("Tab");
    const skip = await page.evaluate(() => document.activeElement.textContent);
    assert(skip === "Skip to the content", `the first stop is ${skip}`);
    const isOn = (selector) => page.evaluate((wanted) => document.activeElement.matches(wanted),
      selector);
    for (let press = 0; press < 60 && !await isOn("a.row"); press += 1) {
      await page.keyboard.press("Tab");
    }
    assert(await isOn("a.row"), "no seller within 60 presses of Tab");
    const outline = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return style.outlineStyle !== "none" || style.boxShadow !== "none";
    });
    assert(outline, "the focus can be seen");
    const id = await page.evaluate(() => document.activeElement.textContent);
    await page.keyboard.press("Enter");
    await page.locator("h1", { hasText: id }).waitFor();
    assert(await isOn("main"), "the focus is in the new page");
    await page.goBack();
    await page.locator("h1", { hasText: "Sellers" }).waitFor();
    await close();
  },

  "a seller's page has its numbers, its chart, its forecast and its report": async (browser) => {
    const { items: [worst] } = await ask("/sellers?sort=risk&limit=1");
    const { page, close } = await open(browser, base);
    await visit(page, base, (await hashes()).seller);
    for (const title of ["Rate now", "Room left", "Forecast", "The window, day by day",
      "Live and official", "By kind and channel", "Alerts", "Cycles"]) {
      await page.getByRole("heading", { name: title, exact: true }).waitFor();
    }
    const { defective_orders: bad, orders } = worst.live;
    const shown = await page.locator(".card", { hasText: "Rate now" }).innerText();
    assert(/\d+\.\d+\s%/.test(shown), shown);
    assert(shown.includes(" of ") && orders > 0 && bad > 0, shown);
    const marks = await page.locator("main svg rect, main svg path").count();
    assert(marks > 60, `${marks} marks in the charts`);
    const link = page.getByRole("link", { name: "Account-health report" });
    const report = await (await fetch(new URL(await link.getAttribute("href"), base))).json();
    assert(report.performanceMetrics[0].orderDefectRate.mfn.targetValue === 0.01, "the report");
    await close();
  },

  "the worklist says what to do, and its drafts are copied with the keyboard alone":
  async (browser) => {
    const { page, close } = await open(browser, base);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await visit(page, base, "#/worklist");
    const { items: [first], total } = await ask("/worklist?limit=1");
    assert(total > 5, `${total} things to do`);
    await page.locator(".work").getByText(first.order_id, { exact: true }).first().waitFor();
    const summary = page.locator("details[data-item$='|drafts'] > summary").first();
    await summary.focus();
    await page.keyboard.press("Enter");
    const draft = page.locator(".draft").first();
    const text = await draft.locator("pre").innerText();
    const isOnCopy = () => page.evaluate(() => document.activeElement.textContent === "Copy");
    for (let press = 0; press < 5 && !await isOnCopy(); press += 1) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await draft.getByText("Copied.").waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert(copied.trim() === text.trim() && copied.length > 40, `${copied}\n${text}`);
    await page.getByLabel("Drafts in").selectOption("ja");
    await page.locator(".draft pre[lang=ja]").first().waitFor();
    await close();
  },

  "a seller's page has what to do, and says when that is nothing": async (browser) => {
    const { items: [item] } = await ask("/worklist?limit=1");
    const { page, close } = await open(browser, base);
    const id = encodeURIComponent(item.seller_id);
    await visit(page, base, `#/seller/${id}/${encodeURIComponent(item.marketplace_id || "-")}`);
    const card = page.locator("section[aria-label='What to do']");
    await card.locator(".work > li").first().waitFor();
    assert((await card.innerText()).includes(item.order_id), "its own first thing to do");
    await page.route("**/api/v1/worklist?*", async (route) => {
      const answer = await (await route.fetch()).json();
      await route.fulfill({ json: { ...answer, items: [], total: 0, left_alone: 0, shares: [] } });
    });
    await page.goto(`${base}/#/worklist`);
    await page.getByText("Nothing to do").waitFor();
    await close();
  },

  "new numbers and an alert appear without a reload": async (browser) => {
    const { page, close } = await open(browser, base);
    await visit(page, base, "#/alerts");
    await page.evaluate(() => { window.isSamePage = true; });
    const total = (await ask("/summary")).alerts_total;
    const first = await page.locator("main .timeline li").first().innerText();
    await page.locator("#toasts .toast").first().waitFor({ timeout: 240_000 });
    const deadline = Date.now() + 60_000;
    while (await page.locator("main .timeline li").first().innerText() === first) {
      assert(Date.now() < deadline, "the list has the new alert");
      await page.waitForTimeout(100);
    }
    assert((await ask("/summary")).alerts_total > total, "the service has more alerts");
    await page.goto(`${base}/#/`);
    await page.waitForSelector("main .card");
    const text = await page.locator("main").innerText();
    while (await page.locator("main").innerText() === text) {
      assert(Date.now() < deadline + 60_000, "the numbers of the market move");
      await page.waitForTimeout(200);
    }
    assert(await page.evaluate(() => window.isSamePage), "it is still the same page");
    assert(await page.locator("#live[data-state=live]").count() === 1, "the stream is live");
    await close();
  },

  "hostile ids are texts and nothing else": async (browser) => {
    const { page, close, allow } = await open(browser, base);
    allow("404");
    await page.route("**/api/v1/sellers?*", async (route) => {
      const answer = await (await route.fetch()).json();
      answer.items.forEach((item, at) => { item.seller_id = HOSTILE[at % HOSTILE.length]; });
      await route.fulfill({ json: answer });
    });
    await page.route("**/api/v1/alerts?*", async (route) => {
      const answer = await (await route.fetch()).json();
      answer.items.forEach((item, at) => { item.seller_id = HOSTILE[at % HOSTILE.length]; });
      await route.fulfill({ json: answer });
    });
    await page.route("**/api/v1/worklist?*", async (route) => {
      const answer = await (await route.fetch()).json();
      answer.items.forEach((item, at) => {
        const id = HOSTILE[at % HOSTILE.length];
        item.seller_id = id;
        item.order_id = id;
        item.drafts.forEach((one) => { one.text = id; });
      });
      await route.fulfill({ json: answer });
    });
    for (const hash of ["#/sellers", "#/alerts", "#/worklist", "#/"]) {
      await visit(page, base, hash);
      await page.locator("main").getByText(HOSTILE[0]).first().waitFor();
      const shown = await page.locator("main").innerText();
      assert(HOSTILE.every((id) => hash === "#/" || shown.includes(id)), `${hash}: ${shown}`);
      const made = await page.locator("main img, main script, main iframe, main object").count();
      assert(made === 0, `${hash}: ${made} elements out of ids`);
      const links = await page.locator("main a.id").evaluateAll((nodes) =>
        nodes.map((node) => node.getAttribute("href")));
      assert(links.every((link) => link.startsWith("#/seller/")), links.join("\n"));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert(wide <= 0, `${hash}: ${wide} pixels too wide`);
    }
    for (const id of HOSTILE) {
      await page.goto(`${base}/#/seller/${encodeURIComponent(id)}/-`);
      await page.locator("main .failure", { hasText: id }).waitFor();
      assert(!(await page.title()).startsWith("owned"), "no script ran");
    }
    await close();
  },

  "a service that is gone is said in words": async (browser) => {
    const { page, close, allow } = await open(browser, base);
    allow("Failed to load resource");
    await visit(page, base, "#/sellers");
    await page.route("**/api/v1/**", (route) => route.abort());
    await page.goto(`${base}/#/worklist`);
    await page.getByText("The service does not answer").waitFor();
    await close();
  },
});
