import { expect, it } from "vitest";
import { en } from "../lib/words/en";
import { explainQuirk, quirksOf } from "./quirks";

it("puts what needs attention first", () => {
  const found = quirksOf([
    { id: "a", count: 5, level: "counter" },
    { id: "b", count: 1, level: "w" },
    { id: "c", count: 9, level: "counter" },
    { id: "d", count: 1, level: "note" },
    { id: "e", count: 1, level: "" },
  ]);
  expect(found.map((q) => q.id)).toEqual(["b", "d", "c", "a", "e"]);
  expect(found.map((q) => q.level)).toEqual(["warning", "note", "counter", "counter", "counter"]);
});

it("explains those that ask something of people", () => {
  expect(explainQuirk(en, "gop-long")?.remedy).toContain("key frame");
  expect(explainQuirk(en, "sdp-space")).toBeUndefined();
  expect(explainQuirk(en, "toString")).toBeUndefined();
});
