// Every route of the API, asked by somebody who is not logged in.
import http from "node:http";

function ask(base, method, path, headers) {
  const url = new URL(path, base);
  const changes = method !== "GET" && method !== "HEAD";
  const body = changes ? "{}" : undefined;
  const type = changes ? { "content-type": "application/json", origin: url.origin } : {};
  return new Promise((done, refuse) => {
    const request = http.request(url, { method, headers: { ...type, ...headers } }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () =>
        done({ status: response.statusCode, text: Buffer.concat(parts).toString() }),
      );
    });
    request.on("error", refuse);
    request.end(body);
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
      // A set-up token that nobody has is refused in the body's handler: it needs a whole body.
      const { status } = await ask(base, method.toUpperCase(), where, cookie ? { cookie } : {});
      asked += 1;
      if (status !== 401) open.push(`${method.toUpperCase()} ${where}: ${status}`);
    }
  }
  return { open, asked };
}
