// Headless Chromium, which reaches loopback and nothing else.

import { accessSync, constants, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";

import { chromium } from "playwright-core";

import { targetDirectory } from "./server.mjs";

/// Where the pages are kept as pictures, for people to look at.
export const screenshots = join(targetDirectory, "browser");

export async function startBrowser() {
  mkdirSync(screenshots, { recursive: true });
  return chromium.launch({
    executablePath: executable(),
    args: [
      "--no-sandbox", // root, in a container
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ],
  });
}

/// A picture of the whole page.
export async function picture(page, name) {
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

function executable() {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const directories = (process.env.PATH ?? "").split(delimiter);
  for (const name of names) {
    for (const directory of directories) {
      const path = join(directory, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // The next one, then.
      }
    }
  }
  throw new Error(`none of ${names.join(", ")} is on the path`);
}
