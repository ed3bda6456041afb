import { expect, it } from "vitest";
import type { Result } from "./client";
import { family, Resource } from "./resource";

const later = () => new Promise((done) => setTimeout(done, 0));

it("loads when somebody looks, and keeps the value when a later request fails", async () => {
  const answers: Result<number>[] = [
    { kind: "ok", value: 1 },
    { kind: "failed", problem: { status: 0, code: "network", detail: "" } },
    { kind: "ok", value: 2 },
  ];
  const resource = new Resource<number>(async () => answers.shift() ?? { kind: "aborted" });
  expect(resource.get().value).toBeUndefined();
  const stop = resource.subscribe(() => undefined);
  await later();
  expect(resource.get()).toEqual({ value: 1, problem: undefined });
  await resource.refresh();
  expect(resource.get().value).toBe(1);
  expect(resource.get().problem?.code).toBe("network");
  await resource.refresh();
  expect(resource.get()).toEqual({ value: 2, problem: undefined });
  stop();
});

it("takes the newest of two requests whatever their order", async () => {
  const open: ((r: Result<string>) => void)[] = [];
  const resource = new Resource<string>(() => new Promise((done) => open.push(done)));
  const first = resource.refresh();
  const second = resource.refresh();
  open[1]?.({ kind: "ok", value: "new" });
  open[0]?.({ kind: "ok", value: "old" });
  await Promise.all([first, second]);
  expect(resource.get().value).toBe("new");
});

it("gives the same resource for the same name", () => {
  const of = family((name) => new Resource<string>(async () => ({ kind: "ok", value: name })));
  expect(of("a")).toBe(of("a"));
  expect(of("a")).not.toBe(of("b"));
});
