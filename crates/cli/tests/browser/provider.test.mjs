// What the other tests take for granted of the provider and the browser.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";

import { startBrowser } from "./browser.mjs";
import { CLIENT_ID, CLIENT_SECRET, consent, logIn, startProvider } from "./provider.mjs";

// Nobody listens there: the browser's way back is looked at, not taken.
const REDIRECT_URI = "http://127.0.0.1:9/back";

let provider;
let browser;

before(async () => {
  provider = await startProvider();
  provider.open(REDIRECT_URI);
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  provider?.close();
});

async function exchange(fields) {
  const pair = new URLSearchParams([[CLIENT_ID, CLIENT_SECRET]]).toString().replace("=", ":");
  const response = await fetch(`${provider.issuer}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(pair).toString("base64")}` },
    body: new URLSearchParams(fields),
  });
  return response.json();
}

function refresh(token) {
  return exchange({ grant_type: "refresh_token", refresh_token: token });
}

test("the provider sends its name back, and a used refresh token ends the login", async () => {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    client_id: CLIENT_ID,
    response_type: "code",
    redirect_uri: REDIRECT_URI,
    state: "as it was",
    scope: "openid email offline_access",
    prompt: "consent",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  const page = await browser.newPage();
  await page.route(`${REDIRECT_URI}**`, (route) => route.fulfill({ body: "back" }));
  await page.goto(`${provider.issuer}/auth?${query}`);
  await logIn(page, "ana");
  await consent(page);
  await page.waitForURL(`${REDIRECT_URI}**`);
  const back = new URL(page.url()).searchParams;
  assert.equal(back.get("state"), "as it was");
  assert.equal(back.get("iss"), provider.issuer);

  const grant = { grant_type: "authorization_code", redirect_uri: REDIRECT_URI };
  const first = await exchange({ ...grant, code: back.get("code"), code_verifier: verifier });
  const second = await refresh(first.refresh_token);
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal((await refresh(first.refresh_token)).error, "invalid_grant");
  assert.equal((await refresh(second.refresh_token)).error, "invalid_grant");
  assert.deepEqual(provider.events, { refreshes: 1, lost: 1 });
});

test("without PKCE the provider sends the browser back with an error", async () => {
  const query = new URLSearchParams({
    client_id: CLIENT_ID,
    response_type: "code",
    redirect_uri: REDIRECT_URI,
    scope: "openid",
  });
  const response = await fetch(`${provider.issuer}/auth?${query}`, { redirect: "manual" });
  const back = new URL(response.headers.get("location"));
  assert.equal(back.searchParams.get("error"), "invalid_request");
});
