// Better Auth: its verification of API keys, behind a bare server of Node's.
//
//   better_auth.js setup           makes the tables, a user and keys; prints them
//   better_auth.js serve WORKERS   listens
//
// RIVAL_DATABASE is an SQLite file. With RIVAL_MEMORY, a file that setup writes and serve reads, keys
// are kept in the memory of the process instead (its `secondary-storage`, as a Map).

import cluster from 'node:cluster'
import fs from 'node:fs'
import http from 'node:http'
import { apiKey } from '@better-auth/api-key'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import Database from 'better-sqlite3'

const { RIVAL_DATABASE, RIVAL_MEMORY, RIVAL_SIGNING_KEY } = process.env

const database = new Database(RIVAL_DATABASE)
database.pragma('journal_mode = WAL')
database.pragma('synchronous = NORMAL')
database.pragma('busy_timeout = 5000')

const memory = new Map()
const storage = {
  get: async (key) => memory.get(key) ?? null,
  set: async (key, value) => void memory.set(key, value),
  delete: async (key) => void memory.delete(key),
}

const auth = betterAuth({
  baseURL: 'http://127.0.0.1',
  secret: RIVAL_SIGNING_KEY,
  database,
  emailAndPassword: { enabled: true },
  logger: { disabled: true },
  telemetry: { enabled: false },
  rateLimit: { enabled: false },
  plugins: [
    apiKey({
      rateLimit: { enabled: false },
      ...(RIVAL_MEMORY && { storage: 'secondary-storage', customStorage: storage }),
    }),
  ],
})

async function setup() {
  await (await getMigrations(auth.options)).runMigrations()
  const { user } = await auth.api.signUpEmail({
    body: { email: 'ana@example.com', name: 'ana', password: 'a secret that a person has chosen' },
  })
  const create = (name) => auth.api.createApiKey({ body: { userId: user.id, name } })
  const [good, revoked] = [await create('good'), await create('revoked')]
  await auth.api.updateApiKey({ body: { userId: user.id, keyId: revoked.id, enabled: false } })
  if (RIVAL_MEMORY) fs.writeFileSync(RIVAL_MEMORY, JSON.stringify([...memory]))
  console.log(JSON.stringify({ good: good.key, revoked: revoked.key }))
}

function answer(response, status, value) {
  const body = JSON.stringify(value)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

async function verify(request, response) {
  try {
    const result = await auth.api.verifyApiKey({ body: { key: request.headers['x-api-key'] ?? '' } })
    answer(response, result.valid ? 200 : 401, { valid: result.valid, id: result.key?.id })
  } catch (error) {
    answer(response, 500, { error: String(error) })
  }
}

function serve(workers) {
  if (RIVAL_MEMORY) {
    for (const [key, value] of JSON.parse(fs.readFileSync(RIVAL_MEMORY, 'utf8'))) memory.set(key, value)
  }
  if (workers > 1 && cluster.isPrimary) {
    for (let number = 0; number < workers; number++) cluster.fork()
    cluster.once('listening', (_, { address, port }) => console.log(`listening on ${address}:${port}`))
    return
  }
  const server = http.createServer(verify)
  server.listen(0, '127.0.0.1', () => {
    if (cluster.isPrimary) console.log(`listening on 127.0.0.1:${server.address().port}`)
  })
}

const [verb, workers] = process.argv.slice(2)
if (verb === 'setup') await setup()
else serve(Number(workers))
