// A headless Chromium with a profile of its own, and an ear for everything that goes wrong in it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser window; `close` ends the browser and removes its profile. */
export async function openBrowser({
  width = 1280,
  height = 800,
  language = "en",
  scheme = "dark",
  phone = false,
} = {}) {
  const profile = mkdtempSync(join(tmpdir(), "khien-e2e-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
    viewport: { width, height },
    locale: language === "vi" ? "vi-VN" : "en-GB",
    colorScheme: scheme,
    hasTouch: phone,
    isMobile: phone,
    ignoreHTTPSErrors: true,
  });
  context.setDefaultTimeout(20_000);
  const page = context.pages()[0] ?? (await context.newPage());
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  return { context, page, close, trouble: listen(page) };
}

/** Answers that say no and are meant to: they are on the console of every browser. */
const MEANT = [
  [401, /\/api\/v1\/me$/],
  [401, /\/api\/v1\/login$/],
  [422, /\/api\/v1\/cameras\/probe$/],
  [502, /\/api\/v1\/cameras\/probe$/],
  [504, /\/api\/v1\/cameras\/probe$/],
];

/** Everything on the console or thrown that nobody expects. */
function listen(page) {
  const found = [];
  page.on("pageerror", (e) => found.push(`page error: ${e.stack ?? e}`));
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    const { url } = message.location();
    const status = Number(/status of (\d+)/.exec(message.text())?.[1]);
    const path = url.split("?")[0];
    if (MEANT.some(([code, where]) => code === status && where.test(path))) return;
    found.push(`console ${message.type()}: ${message.text()} (${url})`);
  });
  return found;
}
