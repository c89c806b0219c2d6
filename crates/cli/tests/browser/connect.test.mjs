// Accounts connected as users connect them: our page, the provider's login and consent, and back.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { picture, startBrowser } from "./browser.mjs";
import * as accounts from "./provider.mjs";
import { connectorFile, consent, logIn, refuse, startProvider } from "./provider.mjs";
import { MASTER_KEY, startServer } from "./server.mjs";

const ACCOUNTS = "/connectors/example/integrations";
const CALLBACK = "/connectors/example/success-authorize-callback";

let provider;
let server;
let browser;
let key;

before(async () => {
  provider = await startProvider();
  server = await startServer({ example: connectorFile(provider.issuer) });
  provider.open(server.url + CALLBACK);
  key = (await server.want("POST", "/clients", { key: MASTER_KEY, body: { name: "Acme Notes" } }))
    .api_key;
  const settings = { client_id: accounts.CLIENT_ID, client_secret: accounts.CLIENT_SECRET };
  await server.want("PUT", "/connectors/example/settings", { key, body: settings });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  provider?.close();
});

/// A user of its own for each test, with a token.
async function newUser(identifier) {
  const { secret } = await server.want("POST", "/users", { key, body: { identifier } });
  const { token } = await server.want("POST", "/auth/tokens", { key, body: { identifier, secret } });
  return {
    /// The address of the page that a connection begins with.
    async begin(callbackUrl = server.url + CALLBACK) {
      const body = { callback_url: callbackUrl };
      return (await server.want("POST", ACCOUNTS, { key, token, body })).url;
    },
    accounts: async () => (await server.want("GET", "/users/me", { key, token })).integrations,
    credential: async () => (await server.want("GET", ACCOUNTS, { key, token })).auth_string,
    ask: (method, path, body) => server.ask(method, path, { key, token, body }),
  };
}

/// A page in a browser that nobody has used before, which takes note of what the browser complains
/// about on our pages.
async function newPage(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    const isOurs = message.location().url.startsWith(server.url);
    // A refused page is an error to the console, too; what it says is looked at in the page.
    if (isOurs && message.type() === "error" && !message.text().startsWith("Failed to load"))
      complaints.push(message.text());
  });
  return { page, context, complaints };
}

/// Looks for what a person would read.
async function says(page, ...parts) {
  const text = await page.locator("body").innerText();
  for (const part of parts) assert.ok(text.includes(part), `${part}: ${text}`);
}

/// From our page through the provider's, back to ours.
async function connect(page, url, name) {
  await page.goto(url);
  await page.getByRole("button").click();
  await logIn(page, name);
  await consent(page);
  await page.waitForURL(`${server.url}/**`);
}

/// Shows a page of another site than the server's.
async function openElsewhere(page, body) {
  const address = "http://localhost:9/";
  await page.route(address, (route) => route.fulfill({ body, contentType: "text/html" }));
  await page.goto(address);
}

/// Asks until the answer is as it should be.
async function until(what, ask) {
  for (let attempt = 0; attempt < 600; attempt++) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((resume) => setTimeout(resume, 100));
  }
  assert.fail(`waited in vain: ${what}`);
}

test("an account is connected and used, and refreshed when its token has ended", async () => {
  const user = await newUser("ana@acme.example");
  const { page, complaints } = await newPage();
  await page.goto(await user.begin());
  await picture(page, "1-our-page");
  await says(page, "Acme Notes", "ana@acme.example", "Example Accounts", "email");
  await page.getByRole("button").click();
  await logIn(page, "ana");
  await picture(page, "2-consent-at-the-provider");
  await consent(page);
  await page.waitForURL(`${server.url}/**`);
  await picture(page, "3-connected");
  await says(page, "is connected", "ana@provider.example", "You can close this window");
  assert.deepEqual(complaints, []);

  const [account] = await user.accounts();
  assert.equal(account.user_identifier, "ana@provider.example");
  // On a slow machine a token may end before it is used; then there is a next one.
  let first;
  const claims = await until("a good token", async () => {
    first = await user.credential();
    return (await provider.userinfo(first)).claims;
  });
  assert.deepEqual(claims, { sub: "ana", email: "ana@provider.example" });
  const ended = async () => (await provider.userinfo(first)).status === 401;
  await until("the token has ended", ended);
  await until("another good token", async () => {
    const next = await user.credential();
    return next !== first && (await provider.userinfo(next)).claims;
  });
  // The next refresh token was kept, too, or this one would end the login.
  await until("the next refresh token is used", async () => {
    await user.credential();
    return provider.events.refreshes >= 2;
  });
  assert.equal(provider.events.lost, 0);
  assert.ok((await user.accounts()).every((account) => account.auth_status === "active"));
});

test("who says no at the provider is told so in words, and nothing is stored", async () => {
  const user = await newUser("bo@acme.example");
  const { page } = await newPage();
  await page.goto(await user.begin());
  await page.getByRole("button").click();
  await refuse(page);
  await page.waitForURL(`${server.url}/**`);
  await picture(page, "4-refused");
  await says(page, "not connected", "Example Accounts", "denied", "Nothing was stored");
  assert.deepEqual(await user.accounts(), []);
});

test("a page that was loaded again says that it is used up", async () => {
  const user = await newUser("cy@acme.example");
  const { page } = await newPage();
  const url = await user.begin();
  await connect(page, url, "cy");
  await page.reload();
  await picture(page, "5-callback-again");
  await says(page, "cannot be used", "still holds");
  await page.goto(url);
  await picture(page, "6-our-page-again");
  await says(page, "This link cannot be used", "used already");
  assert.equal((await user.accounts()).length, 1);
});

test("a browser that did not click cannot finish a connection", async () => {
  const user = await newUser("di@acme.example");
  const { page } = await newPage();
  const departed = page.waitForRequest((request) => request.url().startsWith(provider.issuer));
  await page.goto(await user.begin());
  await page.getByRole("button").click();
  // Di sends the provider's address to somebody else, who says yes.
  const link = (await departed).url();
  const other = await newPage();
  await other.page.goto(link);
  await logIn(other.page, "victim");
  await consent(other.page);
  await other.page.waitForURL(`${server.url}/**`);
  await picture(other.page, "7-another-browser");
  await says(other.page, "cannot be used", "another browser");
  assert.deepEqual(await user.accounts(), []);
});

test("all this works without JavaScript", async () => {
  const user = await newUser("eve@acme.example");
  const { page } = await newPage({ javaScriptEnabled: false });
  await connect(page, await user.begin(), "eve");
  await picture(page, "8-without-javascript");
  await says(page, "is connected", "eve@provider.example");
  assert.equal((await user.accounts())[0].user_identifier, "eve@provider.example");
});

test("the browser returns to the program that sent it", async () => {
  const user = await newUser("flo@acme.example");
  const { page } = await newPage();
  await page.route("http://127.0.0.1:9/done**", (route) => route.fulfill({ body: "done" }));
  await page.goto(await user.begin("http://127.0.0.1:9/done?job=7"));
  await page.getByRole("button").click();
  await logIn(page, "flo");
  await consent(page);
  await page.waitForURL("http://127.0.0.1:9/done**");
  assert.equal(new URL(page.url()).searchParams.get("job"), "7");
});

test("two connections go on side by side in one browser", async () => {
  const user = await newUser("gil@acme.example");
  const { context } = await newPage();
  // Both links stand on the application's pages, which are another site.
  const open = async () => {
    const page = await context.newPage();
    await openElsewhere(page, `<a href="${await user.begin()}">connect</a>`);
    await page.getByRole("link").click();
    await page.getByRole("button").waitFor();
    return page;
  };
  const [first, second] = [await open(), await open()];
  await first.getByRole("button").click();
  await second.getByRole("button").click();
  await logIn(second, "gil");
  await consent(second);
  await second.waitForURL(`${server.url}/**`);
  await logIn(first, "other-gil");
  await consent(first);
  await first.waitForURL(`${server.url}/**`);
  const names = (await user.accounts()).map((account) => account.user_identifier).sort();
  assert.deepEqual(names, ["gil@provider.example", "other-gil@provider.example"]);
});

test("another site can neither press the button nor show our page in its own", async () => {
  const user = await newUser("ivy@acme.example");
  const { page, context } = await newPage();
  const url = await user.begin();
  await page.goto(url);
  // More than any other site could know.
  const token = await page.locator("[name=token]").inputValue();
  const elsewhere = await context.newPage();
  const form = `<form method="post" action="${url}"><input name="token" value="${token}"><button>`;
  await openElsewhere(elsewhere, form);
  await elsewhere.getByRole("button").click();
  await elsewhere.waitForURL(url);
  await picture(elsewhere, "10-pressed-from-elsewhere");
  await says(elsewhere, "Please open the link again");

  const framing = await context.newPage();
  await openElsewhere(framing, `<iframe src="${url}"></iframe>`);
  const [, frame] = framing.frames();
  assert.equal(await frame.locator("button").count(), 0);
  // The page itself still works.
  await page.getByRole("button").click();
  await page.waitForURL(`${provider.issuer}/**`);
});

test("the account waits for the application where the client wants to complete it", async () => {
  const body = { require_completion: true, client_id: accounts.CLIENT_ID };
  await server.want("PUT", "/connectors/example/settings", { key, body });
  const user = await newUser("hal@acme.example");
  const { page } = await newPage();
  await page.route("http://127.0.0.1:9/done**", (route) => route.fulfill({ body: "done" }));
  await page.goto(await user.begin("http://127.0.0.1:9/done"));
  await page.getByRole("button").click();
  await logIn(page, "hal");
  await consent(page);
  await page.waitForURL("http://127.0.0.1:9/done**");
  assert.equal((await user.accounts())[0].auth_status, "pending");
  const code = new URL(page.url()).searchParams.get("completion_code");
  const completed = await user.ask("POST", ACCOUNTS, { completion_code: code });
  assert.equal(completed.status, 200);
  assert.equal((await user.accounts())[0].auth_status, "active");
  body.require_completion = false;
  await server.want("PUT", "/connectors/example/settings", { key, body });
});

test("the operator is told whether the settings can work", async () => {
  const check = () => server.run(["connector", "check", "example", "--client", "Acme Notes"]);
  const good = await check();
  assert.equal(good.code, 0, good.stdout + good.stderr);
  const settings = { client_id: accounts.CLIENT_ID };
  const put = (secret) => {
    const body = { ...settings, client_secret: secret };
    return server.want("PUT", "/connectors/example/settings", { key, body });
  };
  await put("a secret that the provider does not know");
  const bad = await check();
  await put(accounts.CLIENT_SECRET);
  assert.notEqual(bad.code, 0);
  assert.ok(bad.stdout.includes("invalid_client"), bad.stdout + bad.stderr);
});

test("our pages fit a phone, whatever a user is called", async () => {
  const user = await newUser(`${"w".repeat(300)}@acme.example`);
  const { page } = await newPage({ viewport: { width: 320, height: 640 }, colorScheme: "dark" });
  await page.goto(await user.begin());
  await picture(page, "9-phone");
  const overhang = await page.evaluate(
    () => document.documentElement.scrollWidth - window.innerWidth,
  );
  assert.ok(overhang <= 0, `${overhang} pixels too wide`);
});
