// node-oidc-provider: introspection of opaque access tokens by a client that authenticates itself.
//
//   oidc_provider.js    listens; RIVAL_CLIENT_SECRET is the secret of the client `bench`
//
// One process: its own adapter keeps tokens in memory, where no other process would find them.

import http from 'node:http'
import { Provider } from 'oidc-provider'

const server = http.createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'bench',
        client_secret: process.env.RIVAL_CLIENT_SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
    },
    ttl: { ClientCredentials: 24 * 60 * 60 },
  })
  server.on('request', provider.callback())
  console.log(`listening on 127.0.0.1:${server.address().port}`)
})
