import { expect, it } from "vitest";
import { afterClose } from "./backoff";

const wait = (code: number, attempt: number, random = 0.5) => {
  const closed = afterClose(code, attempt, random);
  return closed.kind === "again" ? closed.in_ms : closed.kind;
};

it("calls again, later each time, within limits", () => {
  expect([0, 1, 2, 3].map((n) => wait(1006, n))).toEqual([500, 1000, 2000, 4000]);
  expect(wait(1006, 1000)).toBe(15_000);
  expect(wait(1006, 0, 0)).toBe(375);
  expect(wait(1006, 0, 1)).toBe(625);
});

it("does not hurry a camera that is away or a server that is busy", () => {
  expect(wait(4409, 0)).toBe(2000);
  expect(wait(1013, 0)).toBe(2000);
  expect(afterClose(4409, 0, 0.5)).toMatchObject({ offline: true });
  expect(afterClose(1013, 0, 0.5)).toMatchObject({ offline: false });
});

it("does not call again where it is not let in or nothing is", () => {
  expect(wait(4401, 0)).toBe("login");
  expect(wait(4404, 3)).toBe("gone");
});
