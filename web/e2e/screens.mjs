// Pictures of every page, for people to look at.
//   node web/e2e/screens.mjs [--mock] [--fast] [--only NAME] FOLDER
// Without --mock: KHIEN_URL, KHIEN_USER and KHIEN_PASSWORD name a running khien with cameras.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBrowser } from "./browser.mjs";

const args = process.argv.slice(2);
const mock = args.includes("--mock");
const fast = args.includes("--fast");
const only = args.includes("--only") ? args[args.indexOf("--only") + 1] : undefined;
const folder = args.filter((a) => !a.startsWith("--") && a !== only).at(-1);
if (!folder) throw new Error("usage: node web/e2e/screens.mjs [--mock] [--only NAME] FOLDER");
mkdirSync(folder, { recursive: true });

const SIZES = [
  { name: "desktop", width: 1280, height: 800, phone: false },
  { name: "phone", width: 390, height: 844, phone: true },
];
const LOOKS = fast
  ? [{ language: "en", scheme: "dark" }]
  : ["en", "vi"].flatMap((language) => ["dark", "light"].map((scheme) => ({ language, scheme })));

const playing = (page) => page.locator('.picture[data-state="playing"]').first().waitFor();
const shown = async (page) => {
  await page.waitForFunction(() => {
    const video = document.querySelector(".desk video");
    return video && video.readyState >= 2;
  });
};

/** Name, path, and what to do before the picture is taken. `scene` is the mock's. */
const PAGES = [
  { name: "setup", scene: "setup", path: "/setup?token=mock", out: true },
  { name: "setup-link", scene: "setup", path: "/", out: true },
  { name: "login", path: "/login", out: true },
  {
    name: "login-wrong",
    path: "/login",
    out: true,
    act: async (page) => {
      await page.fill('[name="username"]', "owner");
      await page.fill('[name="password"]', "no");
      await page.keyboard.press("Enter");
      await page.locator(".notice").waitFor();
    },
  },
  { name: "wall-empty", scene: "empty", path: "/" },
  { name: "cameras-empty", scene: "empty", path: "/cameras" },
  { name: "timeline-empty", scene: "empty", path: "/timeline" },
  { name: "wall", path: "/", act: playing },
  { name: "wall-4", path: "/?grid=4", act: playing },
  {
    name: "single",
    path: "/?camera=1",
    act: async (page) => {
      await playing(page);
      await page.keyboard.press("i");
      await page.waitForTimeout(1200);
    },
  },
  { name: "timeline", path: "/timeline?camera=1", act: shown },
  {
    name: "timeline-hover",
    path: "/timeline?camera=1",
    act: async (page) => {
      await shown(page);
      const box = await page.locator(".tape-box").boundingBox();
      await page.mouse.move(box.x + box.width * 0.4, box.y + 50);
    },
  },
  {
    name: "timeline-export",
    path: "/timeline?camera=1",
    act: async (page) => {
      await shown(page);
      await page.keyboard.press("+");
      await page.keyboard.press("+");
      await page.keyboard.press("+");
      await page.keyboard.press("e");
      await page.locator("summary").first().click();
      await page.mouse.move(5, 5);
    },
    whole: true,
  },
  { name: "timeline-gap", path: "/timeline?camera=3", act: shown },
  { name: "timeline-none", path: "/timeline?camera=5" },
  { name: "cameras", path: "/cameras", whole: true },
  { name: "camera", path: "/cameras/1", act: playing, whole: true },
  { name: "camera-changed", path: "/cameras/4", whole: true },
  { name: "camera-offline", path: "/cameras/3" },
  {
    name: "camera-edit",
    path: "/cameras/2",
    act: (page) => page.locator(".detail-acts .button").first().click(),
  },
  {
    name: "camera-remove",
    path: "/cameras/2",
    act: async (page) => {
      await page.locator(".detail-acts .button").nth(1).click();
      await page.waitForTimeout(400);
    },
  },
  { name: "add", path: "/cameras/add" },
  {
    name: "add-wrong",
    path: "/cameras/add",
    act: async (page) => {
      await page.fill('[name="camera-address"]', "192.168.1.20:555/stream1");
      await page.keyboard.press("Enter");
      await page.locator(".notice").waitFor();
    },
    whole: true,
  },
  {
    name: "add-found",
    path: "/cameras/add",
    act: async (page) => {
      await page.fill('[name="camera-address"]', "rtsps://192.168.1.20/stream1");
      await page.fill('[name="camera-user"]', "viewer");
      await page.fill('[name="camera-password"]', "secret");
      await page.keyboard.press("Enter");
      await page.locator(".found").waitFor();
    },
    whole: true,
  },
  { name: "settings", path: "/settings", whole: true },
  {
    name: "settings-password",
    path: "/settings",
    act: async (page) => {
      await page.locator(".card").nth(1).locator(".button").last().click();
      await page.fill('[name="new-password"]', "Tr0ub4d");
    },
  },
  {
    name: "settings-person",
    path: "/settings",
    act: async (page) => {
      await page.locator(".people").waitFor();
      await page.locator(".card").nth(2).locator(".button").first().click();
      await page.fill('[name="person-name"]', "Lan");
    },
  },
  { name: "nowhere", path: "/nowhere" },
];

let base = process.env.KHIEN_URL;
let server;
if (mock) {
  const file = fileURLToPath(new URL("../mock/server.mjs", import.meta.url));
  server = spawn(process.execPath, [file, "--port", "8791"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((done) => server.stdout.once("data", done));
  base = "http://127.0.0.1:8791";
}
const scene = (kind) => mock && fetch(`${base}/mock/scene?kind=${kind}`, { method: "POST" });
const [user, password] = [process.env.KHIEN_USER ?? "owner", process.env.KHIEN_PASSWORD ?? "owner"];

async function logIn(page) {
  await page.goto(`${base}/login`);
  await page.fill('[name="username"]', user);
  await page.fill('[name="password"]', password);
  await page.keyboard.press("Enter");
  await page.locator(".nav").waitFor();
}

/** The mock numbers its cameras; a real khien's have other names, and there may be fewer. */
async function pathOf(page, path) {
  const n = /(?:camera=|cameras\/)(\d)/.exec(path)?.[1];
  if (mock || n === undefined) return path;
  const ids = await page.evaluate(async () => {
    const cameras = await (await fetch("/api/v1/cameras")).json();
    return cameras.map((c) => c.id);
  });
  const id = ids[Number(n) - 1];
  return id && path.replace(/(camera=|cameras\/)\d/, `$1${id}`);
}

/** What no page may do: scroll sideways, or cut words off. */
function faults(page, width) {
  return page.evaluate((width) => {
    const found = [];
    const wide = Math.max(document.documentElement.scrollWidth, window.innerWidth) - width;
    if (wide > 0) found.push(`scrolls sideways by ${wide} px`);
    for (const e of document.querySelectorAll("button, a, h1, h2, h3, p, label, td, dd")) {
      if (e.closest(".hidden-text, .tape-box") || e.clientWidth === 0) continue;
      if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline") {
        found.push(`cut off: ${e.tagName} "${e.textContent?.trim().slice(0, 40)}"`);
      }
    }
    return found;
  }, width);
}

let wrong = 0;
for (const size of SIZES) {
  for (const look of LOOKS) {
    const { page, trouble, close } = await openBrowser({ ...size, ...look });
    // The person's own choice, which wins over the account's language.
    await page.addInitScript(`localStorage.setItem("khien.language", "${look.language}")`);
    let inside = false;
    let now = "";
    for (const one of PAGES) {
      if (only && one.name !== only) continue;
      if (!mock && (one.scene || one.name.startsWith("add-"))) continue;
      const wanted = one.scene ?? "normal";
      if (wanted !== now) await scene(wanted);
      inside = inside && wanted === now;
      now = wanted;
      if (one.out && inside) {
        await page.context().clearCookies();
        inside = false;
      }
      if (!one.out && !inside) {
        await logIn(page);
        inside = true;
      }
      const name = `${one.name}-${size.name}-${look.language}-${look.scheme}`;
      try {
        const path = await pathOf(page, one.path);
        if (path === undefined) continue;
        await page.goto(base + path);
        await page.locator("h1, h2").first().waitFor({ state: "attached" });
        await one.act?.(page);
        await page.evaluate(() => window.scrollTo(0, 0));
        await page.waitForTimeout(500);
        const file = join(folder, `${name}.png`);
        await page.screenshot({ path: file, fullPage: one.whole ?? size.phone });
        for (const fault of await faults(page, size.width)) console.log(`${name}: ${fault}`);
      } catch (e) {
        wrong += 1;
        console.log(`${name}: ${String(e).split("\n")[0]}`);
      }
      for (const t of trouble.splice(0)) {
        wrong += 1;
        console.log(`${name}: ${t}`);
      }
    }
    await close();
  }
}
server?.kill();
console.log(wrong === 0 ? "screens: pass" : `screens: FAIL (${wrong})`);
process.exit(wrong === 0 ? 0 : 1);
