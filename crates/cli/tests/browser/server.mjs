// The built server on a database of its own, and its API as a program would use it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const repository = resolve(fileURLToPath(import.meta.url), "../../../../..");
export const targetDirectory = process.env.CARGO_TARGET_DIR ?? join(repository, "target");
const executable = join(targetDirectory, "debug", "bosa-auth");

export const MASTER_KEY = "a-master-key-for-tests-of-32-characters-or-more";

/// Starts a server on embedded SQLite with connector files by their names.
export async function startServer(connectors) {
  const directory = mkdtempSync(join(tmpdir(), "bosa-auth-browser-"));
  mkdirSync(join(directory, "connectors"));
  for (const [name, text] of Object.entries(connectors)) {
    writeFileSync(join(directory, "connectors", `${name}.toml`), text);
  }
  const environment = {
    PATH: process.env.PATH,
    BOSA_WHITELISTED_KEYS: MASTER_KEY,
    BOSA_AUTH_CONNECTORS_DIR: "connectors",
    BOSA_AUTH_OUTBOUND_PRIVATE_ADDRESSES: "true",
  };
  const options = { cwd: directory, env: environment };
  const args = ["serve", "--listen", "127.0.0.1:0", "--output", "json"];
  const child = spawn(executable, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (text) => (log += text));
  const welcome = await new Promise((ready, failed) => {
    let text = "";
    child.stdout.on("data", (part) => {
      text += part;
      if (text.endsWith("}\n")) ready(JSON.parse(text));
    });
    child.once("error", failed);
    child.once("exit", (code) => failed(new Error(`the server ended with ${code}: ${log}`)));
  });

  return {
    url: welcome.url,
    log: () => log,
    /// Sends a request with JSON and returns the status and the body.
    async ask(method, path, { key, token, body, headers } = {}) {
      const all = { ...headers };
      if (key) all["x-api-key"] = key;
      if (token) all.authorization = `Bearer ${token}`;
      if (body) all["content-type"] = "application/json";
      const request = { method, headers: all, body: body && JSON.stringify(body) };
      const response = await fetch(welcome.url + path, request);
      return { status: response.status, body: await response.json() };
    },
    /// The same, for what must succeed; returns the envelope's `data`.
    async want(method, path, options) {
      const { status, body } = await this.ask(method, path, options);
      if (status !== 200) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
      return body.data;
    },
    /// Runs another verb of the executable on the same database.
    async run(args, input = "") {
      const verb = spawn(executable, args, { ...options, stdio: "pipe" });
      let stdout = "";
      let stderr = "";
      verb.stdout.on("data", (text) => (stdout += text));
      verb.stderr.on("data", (text) => (stderr += text));
      verb.stdin.end(input);
      const [code] = await once(verb, "close");
      return { code, stdout, stderr };
    },
    async stop() {
      if (child.exitCode === null) {
        child.removeAllListeners("exit");
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
