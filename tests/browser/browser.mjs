// A browser whose pages are watched: whatever an odrwatch page must not do ends the check.

import { createRequire } from "node:module";
import fs from "node:fs";

/** How long one step may take on a busy machine. */
const STEP_MS = 60_000;

// The modules are in Cargo's target, where scripts/setup.sh puts them, and not beside this file.
const require = createRequire(`${process.env.BROWSER_MODULES}/`);
const { chromium } = require("playwright-core");
const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Starts Chromium without anything that asks the net. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.BROWSER,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** Fails with what was expected. */
export function assert(holds, message) {
  if (!holds) throw new Error(message);
}

/** Opens a page of the service; `close` says what it did that it must not. */
export async function open(browser, base, { width = 1280, height = 900, colorScheme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme,
    reducedMotion: "reduce" });
  context.setDefaultTimeout(STEP_MS);
  const wrong = [];
  await context.exposeFunction("reportViolation", (text) => wrong.push(`CSP: ${text}`));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  const page = await context.newPage();
  const allowed = [];
  page.on("console", (message) => {
    const text = message.text();
    const isBad = ["error", "warning"].includes(message.type());
    if (isBad && !allowed.some((part) => text.includes(part))) wrong.push(`console: ${text}`);
  });
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith("data:")) wrong.push(`asks elsewhere: ${url}`);
  });
  return {
    page,
    /** Console messages with this in them are what the check is about. */
    allow: (part) => allowed.push(part),
    close: async () => {
      await context.close();
      assert(wrong.length === 0, wrong.join("\n"));
    },
  };
}

/** Goes to a page by its hash and waits until it shows something. */
export async function visit(page, base, hash) {
  await page.goto(`${base}/${hash}`);
  await page.waitForSelector("main .card");
}

/** What axe finds: serious and critical violations. */
export async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
  const isSerious = (item) => ["serious", "critical"].includes(item.impact);
  return found.violations.filter(isSerious).map((item) => {
    const [node] = item.nodes;
    return `${item.id} (${item.nodes.length}): ${node.html.slice(0, 160)} ${node.failureSummary}`;
  });
}

/** Runs checks one after another, says how each ended, and ends the process. */
export async function run(checks) {
  const browser = await launch();
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(browser);
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
  }
  await browser.close();
  process.exit(failed === 0 ? 0 : 1);
}
