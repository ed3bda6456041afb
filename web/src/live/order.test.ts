import { expect, it } from "vitest";
import type { Camera } from "../api/types";
import { moved, renumbered } from "./order";

const cameras = ["a", "b", "c", "d"].map((id, position) => ({ id, position }) as Camera);
const ids = (list: readonly Camera[]) => list.map((c) => c.id).join("");

it.each([
  ["a", "c", "bcad"],
  ["d", "a", "dabc"],
  ["b", "b", "abcd"],
  ["x", "b", "abcd"],
  ["a", "x", "abcd"],
])("moves %s to %s", (from, to, order) => expect(ids(moved(cameras, from, to))).toBe(order));

it("tells only what changed", () => {
  expect(renumbered(cameras)).toEqual([]);
  expect(renumbered(moved(cameras, "b", "c"))).toEqual([
    { id: "c", position: 1 },
    { id: "b", position: 2 },
  ]);
});
