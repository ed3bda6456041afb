// A server that looks like khien and records nothing: for work on the pages.
//   node mock/server.mjs [--port 8790]
// Log in as "owner" with the password "owner". `POST /mock/scene?kind=normal|empty|setup` starts anew.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { FPS, Loop } from "./media.mjs";
import { Scene } from "./scene.mjs";

const port = Number(process.argv[process.argv.indexOf("--port") + 1]) || 8790;
const dist = fileURLToPath(new URL("../dist", import.meta.url));
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
  "media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; " +
  "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
};

let scene = new Scene();
let sessions = new Map();

class Refusal extends Error {
  constructor(status, code, detail = code) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

function sessionOf(request) {
  const token = /khien-mock=(\w+)/.exec(request.headers.cookie ?? "")?.[1];
  return { token, name: sessions.get(token) };
}

function me(request) {
  const { name } = sessionOf(request);
  const user = scene.users.find((u) => u.name === name);
  if (!user) throw new Refusal(401, "session", "log in first");
  return user;
}

function owner(request) {
  const user = me(request);
  if (user.role !== "owner") throw new Refusal(403, "role", "only an owner may do this");
  return user;
}

function find(id) {
  const found = scene.cameras.find((c) => c.id === id);
  if (!found) throw new Refusal(404, "camera-unknown", "there is no such camera");
  return found;
}

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return parts.length > 0 ? JSON.parse(Buffer.concat(parts).toString()) : {};
}

const answer = (status, body, headers = {}) => ({ status, body, headers });
const media = (bytes, headers = {}) => ({
  status: 200,
  bytes,
  headers: { "content-type": "video/mp4", ...headers },
});

function enter(name, status, body) {
  const token = randomBytes(16).toString("hex");
  sessions.set(token, name);
  const cookie = `khien-mock=${token}; HttpOnly; SameSite=Strict; Path=/`;
  return answer(status, body, { "set-cookie": cookie });
}

const publicOf = ({ name, role, language }) => ({ name, role, language });
const time = (text) => (/^\d+$/.test(text) ? Number(text) : Date.parse(text) * 1000);

const ROUTES = [
  ["GET", /^\/setup$/, () => answer(200, { needed: !scene.owned })],
  [
    "POST",
    /^\/setup$/,
    ({ body }) => {
      if (body.token !== "mock") throw new Refusal(401, "setup-token");
      scene.owned = true;
      scene.users = [{ name: body.name, role: "owner", language: body.language, created: "" }];
      return enter(body.name, 201, publicOf(scene.users[0]));
    },
  ],
  [
    "POST",
    /^\/login$/,
    ({ body }) => {
      const user = scene.users.find((u) => u.name === body.name);
      if (!user || body.password !== "owner") throw new Refusal(401, "login");
      return enter(user.name, 200, { user: publicOf(user) });
    },
  ],
  [
    "POST",
    /^\/logout$/,
    ({ request }) => {
      sessions.delete(sessionOf(request).token);
      return answer(204);
    },
  ],
  ["GET", /^\/me$/, ({ request }) => answer(200, publicOf(me(request)))],
  [
    "PATCH",
    /^\/me$/,
    ({ request, body }) => {
      const user = me(request);
      user.language = body.language ?? user.language;
      return answer(200, publicOf(user));
    },
  ],
  [
    "POST",
    /^\/me\/password$/,
    ({ request, body }) => {
      me(request);
      if (body.old !== "owner") throw new Refusal(403, "password-old");
      return answer(204);
    },
  ],
  [
    "GET",
    /^\/status$/,
    ({ request }) => {
      me(request);
      const recording = scene.cameras.filter((c) => c.state === "recording").map((c) => c.id);
      const warnings = scene.cameras
        .filter((c) => c.state === "offline")
        .map((c) => ({ code: "camera", message: `${c.name}: ${c.detail?.message}` }));
      return answer(200, {
        version: "0.1.0",
        now: new Date().toISOString(),
        now_us: Date.now() * 1000,
        recording,
        storage: { bytes_used: 612e9, bytes_free: 1189e9, bytes_total: 2000e9 },
        warnings,
      });
    },
  ],
  [
    "GET",
    /^\/users$/,
    ({ request }) => {
      owner(request);
      return answer(200, scene.users);
    },
  ],
  [
    "POST",
    /^\/users$/,
    ({ request, body }) => {
      owner(request);
      if (scene.users.some((u) => u.name === body.name)) throw new Refusal(409, "name-taken");
      scene.users.push({ ...publicOf({ language: "en", ...body }), created: "" });
      return answer(201, scene.users.at(-1));
    },
  ],
  [
    "DELETE",
    /^\/users\/([^/]+)$/,
    ({ request, at: [name] }) => {
      owner(request);
      scene.users = scene.users.filter((u) => u.name !== name);
      return answer(204);
    },
  ],
  [
    "POST",
    /^\/users\/([^/]+)\/password$/,
    ({ request }) => {
      owner(request);
      return answer(204);
    },
  ],
  [
    "GET",
    /^\/cameras$/,
    ({ request }) => {
      me(request);
      return answer(200, scene.cameras);
    },
  ],
  [
    "POST",
    /^\/cameras$/,
    ({ request, body }) => {
      owner(request);
      if (scene.cameras.some((c) => c.name === body.name)) throw new Refusal(409, "name-taken");
      return answer(201, scene.add(body));
    },
  ],
  [
    "POST",
    /^\/cameras\/probe$/,
    async ({ request, body }) => {
      owner(request);
      await new Promise((done) => setTimeout(done, 700));
      const found = scene.probe(body);
      if (found.status !== 200) throw new Refusal(found.status, found.code, found.detail);
      return answer(200, found.body);
    },
  ],
  [
    "GET",
    /^\/cameras\/([^/]+)$/,
    ({ request, at: [id] }) => {
      me(request);
      return answer(200, find(id));
    },
  ],
  [
    "PATCH",
    /^\/cameras\/([^/]+)$/,
    ({ request, at: [id], body }) => {
      owner(request);
      const { password: _, ...rest } = body;
      const one = Object.assign(find(id), rest);
      scene.cameras.sort((a, b) => a.position - b.position);
      if (body.enabled !== undefined) one.state = body.enabled ? "recording" : "disabled";
      return answer(200, one);
    },
  ],
  [
    "DELETE",
    /^\/cameras\/([^/]+)$/,
    ({ request, at: [id] }) => {
      owner(request);
      scene.cameras = scene.cameras.filter((c) => c !== find(id));
      return answer(204);
    },
  ],
  [
    "POST",
    /^\/cameras\/([^/]+)\/certificate\/accept$/,
    ({ request, at: [id], body }) => {
      owner(request);
      const change = { certificate: body.sha256, state: "recording", detail: null, gap: null };
      return answer(200, Object.assign(find(id), change, { bytes_per_s: 400_000 }));
    },
  ],
  [
    "GET",
    /^\/cameras\/([^/]+)\/timeline$/,
    ({ request, at: [id], query }) => {
      me(request);
      return answer(200, scene.timeline(find(id), time(query.get("from")), time(query.get("to"))));
    },
  ],
  [
    "GET",
    /^\/cameras\/([^/]+)\/fragments$/,
    ({ request, at: [id], query }) => {
      me(request);
      const [from, to] = [time(query.get("from")), time(query.get("to"))];
      return answer(200, scene.fragments(find(id), from, to, Number(query.get("limit")) || 200));
    },
  ],
  [
    "GET",
    /^\/cameras\/([^/]+)\/segments\/([^/]+)\/init$/,
    ({ request, at: [id] }) => {
      me(request);
      const { init, mime } = scene.loop(find(id).id);
      return media(init, { "x-khien-mime": mime });
    },
  ],
  [
    "GET",
    /^\/cameras\/([^/]+)\/segments\/([^/]+)\/media$/,
    ({ request, at: [id, segment], query }) => {
      me(request);
      const [offset, size] = ["offset", "size"].map((n) => Number(query.get(n)));
      return media(scene.media(find(id), segment, offset, size));
    },
  ],
  [
    "GET",
    /^\/cameras\/([^/]+)\/export\.mp4$/,
    ({ request, at: [id], query }) => {
      me(request);
      const bytes = scene.exported(find(id), time(query.get("from")), time(query.get("to")));
      return media(bytes, { "content-disposition": 'attachment; filename="export.mp4"' });
    },
  ],
  [
    "GET",
    /^\/cameras\/([^/]+)\/snapshot\.jpg$/,
    ({ request, at: [id] }) => {
      me(request);
      return media(scene.loop(find(id).id).still, { "content-type": "image/jpeg" });
    },
  ],
];

async function api(request, url) {
  const path = url.pathname.slice("/api/v1".length);
  for (const [method, pattern, act] of ROUTES) {
    const match = request.method === method && pattern.exec(path);
    if (!match) continue;
    const at = match.slice(1).map(decodeURIComponent);
    const body = method === "GET" ? {} : await bodyOf(request);
    return act({ request, at, query: url.searchParams, body });
  }
  throw new Refusal(404, "not-found", "there is nothing at this address");
}

/** Files of the built app; its own addresses are all served by its one document. */
function page(path) {
  const wanted = normalize(path).replace(/^(\.\.[/\\])+/, "");
  const file = join(dist, wanted === "/" ? "index.html" : wanted);
  const found = existsSync(file) && extname(file) !== "" ? file : join(dist, "index.html");
  if (!existsSync(found)) throw new Refusal(404, "not-found", "run `npm run build` first");
  return {
    status: 200,
    bytes: readFileSync(found),
    headers: { "content-type": TYPES[extname(found)] },
  };
}

function send(response, { status, body, bytes, headers = {} }) {
  const json = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const type = json ? { "content-type": "application/json" } : {};
  response.writeHead(status, { "content-security-policy": CSP, ...type, ...headers });
  response.end(bytes ?? json);
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://mock");
  try {
    if (url.pathname === "/mock/scene") {
      scene = new Scene(url.searchParams.get("kind") ?? "normal");
      sessions = new Map();
      return send(response, answer(204));
    }
    const inside = url.pathname.startsWith("/api/");
    send(response, inside ? await api(request, url) : page(url.pathname));
  } catch (e) {
    const { status = 500, code = "internal", message } = e;
    if (status === 500) console.error(e);
    send(
      response,
      answer(status, { type: `urn:khien:problem:${code}`, status, code, detail: message }),
    );
  }
});

const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "khien.fmp4.v1" });
server.on("upgrade", (request, socket, head) => {
  const id = /^\/api\/v1\/cameras\/([^/]+)\/live$/.exec(request.url)?.[1];
  sockets.handleUpgrade(request, socket, head, (ws) => live(ws, request, id));
});

function live(ws, request, id) {
  const one = scene.cameras.find((c) => c.id === id);
  if (!sessionOf(request).name) return ws.close(4401, "session");
  if (!one) return ws.close(4404, "camera-unknown");
  if (one.state !== "recording" && one.state !== "live") return ws.close(4409, "camera-offline");
  const loop = scene.loop(id);
  const begun = Math.floor((Date.now() / 1000) * FPS);
  // From the key frame before now, as the real one: the page has a picture at once.
  let next = begun;
  while (!Loop.isKey(next)) next -= 1;
  const first = next;
  ws.once("message", () => {
    ws.send(JSON.stringify({ t: "init", id: 1, mime: loop.mime, w: 640, h: 360 }));
    ws.send(loop.init);
    const timer = setInterval(() => {
      const now = Math.floor((Date.now() / 1000) * FPS);
      for (; next <= now; next += 1) {
        const place = next - first;
        ws.send(loop.frame(next, place));
        if (place % FPS === 0) {
          const us = Math.round((next / FPS) * 1e6);
          ws.send(JSON.stringify({ t: "wall", us, media_s: place / FPS }));
        }
      }
    }, 20);
    ws.on("close", () => clearInterval(timer));
  });
}

server.listen(port, "127.0.0.1", () =>
  console.log(`ready http://127.0.0.1:${server.address().port}`),
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
