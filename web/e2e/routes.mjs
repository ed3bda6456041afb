// Every route of the API, asked by somebody who is not logged in.
import http from "node:http";

/** A whole body with a token that nobody was given. */
const SETUP = { token: "none", name: "thief", password: "correct horse battery 8" };

function ask(base, method, path, headers, body = {}) {
  const url = new URL(path, base);
  const changes = method !== "GET" && method !== "HEAD";
  const sent = method === "POST" || method === "PATCH" ? JSON.stringify(body) : undefined;
  const type = {
    ...(changes ? { origin: url.origin } : {}),
    ...(sent
      ? { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }
      : {}),
  };
  return new Promise((done, refuse) => {
    const request = http.request(url, { method, headers: { ...type, ...headers } }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () =>
        done({ status: response.statusCode, text: Buffer.concat(parts).toString() }),
      );
    });
    request.on("error", refuse);
    request.end(sent);
  });
}

/** The routes that answer anything but 401 although they ask for a person, and how many there are. */
export async function openRoutes(base, cookie) {
  const { text } = await ask(base, "GET", "/api/v1/openapi.json", {});
  const { paths } = JSON.parse(text);
  const open = [];
  let asked = 0;
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (operation["x-access"] === "public") continue;
      const filled = path.replace(/\{\w+\}/g, "1");
      const query = (operation.parameters ?? [])
        .filter((p) => p.in === "query" && p.required)
        .map((p) => `${p.name}=1`);
      const where = query.length > 0 ? `${filled}?${query.join("&")}` : filled;
      const headers = cookie ? { cookie } : {};
      const { status } = await ask(base, method.toUpperCase(), where, headers, SETUP);
      asked += 1;
      // Once there is an owner, the set-up link is gone, whoever asks.
      const wanted = operation["x-access"] === "setup_token" ? 410 : 401;
      if (status !== wanted) open.push(`${method.toUpperCase()} ${where}: ${status}`);
    }
  }
  return { open, asked };
}
