// A certified OpenID Connect provider on loopback, with its own pages for login and consent.

import { once } from "node:events";
import { createServer } from "node:http";

import { Provider } from "oidc-provider";

export const CLIENT_ID = "bosa-auth";
export const CLIENT_SECRET = "a secret that only the provider and the server know";

/// Seconds of an access token: the shortest that leaves a moment in which it is good.
export const ACCESS_TOKEN_SECONDS = 4;

/// Starts to listen. Requests are answered once `open` was called, since the provider must know
/// where its client lets browsers come back to.
export async function startProvider() {
  let handle = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => handle(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // Another site than the server's: cookies of one are not the other's.
  const issuer = `http://localhost:${server.address().port}`;
  const events = { refreshes: 0, lost: 0 };

  return {
    issuer,
    events,
    open(redirectUri) {
      const provider = new Provider(issuer, configuration(redirectUri));
      provider.on("grant.success", ({ oidc }) => {
        events.refreshes += oidc.params.grant_type === "refresh_token" ? 1 : 0;
      });
      provider.on("grant.revoked", () => (events.lost += 1));
      provider.on("server_error", (_context, error) => console.error(error));
      handle = provider.callback();
    },
    /// What a user of the access token sees: the status, and the claims if there are any.
    async userinfo(accessToken) {
      const headers = { authorization: `Bearer ${accessToken}` };
      const response = await fetch(`${issuer}/me`, { headers });
      return { status: response.status, claims: response.ok ? await response.json() : null };
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function configuration(redirectUri) {
  return {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        client_name: "BOSA Auth",
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
      },
    ],
    clockTolerance: 0,
    claims: { openid: ["sub"], email: ["email"] },
    cookies: { keys: ["a key for the cookies of one test run"] },
    features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@provider.example` }),
    }),
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ttl: {
      AccessToken: ACCESS_TOKEN_SECONDS,
      AuthorizationCode: 60,
      Grant: 3600,
      Interaction: 3600,
      RefreshToken: 3600,
      Session: 3600,
    },
  };
}

/// Logs in on the provider's page.
export async function logIn(page, name) {
  await page.fill("[name=login]", name);
  await page.fill("[name=password]", "any will do");
  await page.getByRole("button", { name: "Sign-in" }).click();
}

/// Says yes on the provider's next page.
export async function consent(page) {
  await page.getByRole("button", { name: "Continue" }).click();
}

/// Says no on any of the provider's pages.
export async function refuse(page) {
  await page.getByRole("link", { name: "Cancel" }).click();
}

/// The provider as a connector file.
export function connectorFile(issuer) {
  return `title = "Example Accounts"
documentation = ["https://docs.example/"]

[oauth]
authorization_endpoint = "${issuer}/auth"
token_endpoint = "${issuer}/token"
revocation_endpoint = "${issuer}/token/revocation"
issuer = "${issuer}"
discovery = "${issuer}/.well-known/openid-configuration"
hosts = ["localhost"]
client_authentication = "basic"
pkce = true
default_scopes = ["openid", "email", "offline_access"]
authorization_parameters = { prompt = "consent" }

[oauth.lifetime]
access_token_seconds = ${ACCESS_TOKEN_SECONDS}
refresh_token = "rotates"

[oauth.identity]
source = "${issuer}/me"
subject = "/sub"
label = ["/email"]
`;
}
