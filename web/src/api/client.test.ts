import { afterEach, expect, it, vi } from "vitest";
import { binary, json, onSignedOut, plain } from "./client";

afterEach(() => vi.unstubAllGlobals());

const answer = (status: number, body: string | null, headers: Record<string, string> = {}) =>
  vi.stubGlobal("fetch", async () => new Response(body, { status, headers }));

it("gives the value", async () => {
  answer(200, '{"name":"Lan"}');
  expect(await json("/me")).toEqual({ kind: "ok", value: { name: "Lan" } });
});

it("gives the problem's code", async () => {
  answer(502, '{"status":502,"code":"camera-auth","detail":"no"}');
  expect(await json("/cameras/probe", { method: "POST", body: {} })).toEqual({
    kind: "failed",
    problem: { status: 502, code: "camera-auth", detail: "no" },
  });
});

it("survives an answer that is not ours", async () => {
  answer(500, "<html>");
  const result = await json("/cameras");
  expect(result.kind === "failed" && result.problem.code).toBe("http-500");
  answer(200, "<html>");
  expect((await json("/cameras")).kind).toBe("failed");
});

it("tells a cancel from a broken network", async () => {
  const stop = new AbortController();
  vi.stubGlobal("fetch", async () => {
    throw new DOMException("stop", "AbortError");
  });
  stop.abort();
  expect(await plain("/x", { signal: stop.signal })).toEqual({ kind: "aborted" });
  vi.stubGlobal("fetch", async () => {
    throw new TypeError("failed to fetch");
  });
  const result = await plain("/x");
  expect(result.kind === "failed" && result.problem.code).toBe("network");
});

it("reports the end of the session once per refusal, and not for a wrong password", async () => {
  let times = 0;
  const stop = onSignedOut(() => {
    times += 1;
  });
  answer(401, "{}");
  await json("/cameras");
  await json("/login", { method: "POST", body: {}, mayRefuse: true });
  stop();
  await json("/cameras");
  expect(times).toBe(1);
});

it("gives media with its headers", async () => {
  answer(200, "abc", { "x-khien-mime": "video/mp4" });
  const result = await binary("/x");
  expect(result.kind === "ok" && result.value.bytes.byteLength).toBe(3);
  expect(result.kind === "ok" && result.value.header("X-Khien-Mime")).toBe("video/mp4");
});
