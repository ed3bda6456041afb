import { expect, it } from "vitest";
import { innerPath, setupToken, withParams } from "./url";

it("changes, adds and removes parameters", () => {
  const now = new URLSearchParams("camera=a&t=1");
  expect(withParams("/timeline", now, { t: "2", day: "x" })).toBe("/timeline?camera=a&t=2&day=x");
  expect(withParams("/", now, { camera: undefined, t: undefined })).toBe("/");
});

it("never leads to another site", () => {
  expect(innerPath("/timeline?camera=a")).toBe("/timeline?camera=a");
  for (const bad of [null, "", "https://evil.example", "//evil.example", "/\\evil.example", "x"]) {
    expect(innerPath(bad)).toBe("/");
  }
});

it.each([
  ["/setup?token=abc", "abc"],
  ["/#/setup?token=abc", "abc"],
  ["/setup#token=abc", "abc"],
  ["/setup", null],
  ["/setup#content", null],
])("finds the token of %s", (path, token) => {
  expect(setupToken(new URL(path, "http://khien"))).toBe(token);
});
