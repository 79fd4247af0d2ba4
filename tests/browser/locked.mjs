// The pages of an odrwatch that asks for a token: node locked.mjs BASE TOKEN

import { assert, open, run, violations } from "./browser.mjs";

const [, , base, token] = process.argv;

await run({
  "the page asks for the token, and a right one opens it for good": async (browser) => {
    const { page, close, allow } = await open(browser, base);
    allow("401");
    await page.goto(`${base}/`);
    const field = page.getByLabel("Token");
    await field.fill("not the token at all");
    await page.keyboard.press("Enter");
    await page.getByText("This is not the token.").waitFor();
    const found = await violations(page);
    assert(found.length === 0, found.join("\n"));
    await field.fill(token);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "The market" }).waitFor();
    await page.locator("#live[data-state=live]").waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "The market" }).waitFor();
    const [cookie] = await page.context().cookies();
    assert(cookie.httpOnly && cookie.sameSite === "Strict", JSON.stringify(cookie));
    assert(await page.evaluate(() => document.cookie) === "", "scripts see no cookie");
    assert(!cookie.value.includes(token), "the cookie is not the token");
    await close();
  },
});
