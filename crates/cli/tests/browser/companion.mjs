// The provider and the browser for tests in another language: a command in JSON on each line of the
// input, and an answer in JSON on each line of the output.

import { createInterface } from "node:readline";

import { startBrowser } from "./browser.mjs";
import * as accounts from "./provider.mjs";

/// Where applications of the tests let the browser come back to; nobody listens there.
const APPLICATION = "http://127.0.0.1:9/";

// The output is for answers; the provider has notes of its own.
console.info = console.log = console.error;

const providers = new Map();
let browser;

const commands = {
  /// Starts another provider.
  async provider() {
    const provider = await accounts.startProvider();
    providers.set(provider.issuer, provider);
    return {
      issuer: provider.issuer,
      connector: accounts.connectorFile(provider.issuer),
      settings: { client_id: accounts.CLIENT_ID, client_secret: accounts.CLIENT_SECRET },
    };
  },
  /// Tells a provider where its client lets browsers come back to.
  open({ issuer, redirect_uri }) {
    providers.get(issuer).open(redirect_uri);
    return {};
  },
  /// Connects an account of that name as a user does, in a browser that nobody has used before.
  /// Answers where the browser ended, and what the page there says.
  async connect({ url, name, server }) {
    browser ??= await startBrowser();
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.route(`${APPLICATION}**`, (route) => route.fulfill({ body: "back" }));
    await page.goto(url);
    await page.getByRole("button").click();
    await accounts.logIn(page, name);
    await accounts.consent(page);
    await page.waitForURL((at) => [server, APPLICATION].some((way) => at.href.startsWith(way)));
    const end = { url: page.url(), text: await page.locator("body").innerText() };
    await context.close();
    return end;
  },
  /// What the page at an address says.
  async read({ url }) {
    browser ??= await startBrowser();
    const page = await browser.newPage();
    const response = await page.goto(url);
    const end = { status: response.status(), url: page.url(), text: await page.locator("body").innerText() };
    await page.close();
    return end;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  const answer = await Promise.resolve(commands[command](rest)).catch((error) => ({ error: String(error) }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser?.close();
for (const provider of providers.values()) provider.close();
