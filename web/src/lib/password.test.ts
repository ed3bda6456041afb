import { expect, it } from "vitest";
import { goodPassword, passwordRules, progress } from "./password";

it.each([
  ["", false],
  ["short", false],
  ["correct horse battery", true],
  ["Tr0ub4d&", true],
  ["tr0ub4d&", false],
  ["aaaaaaaaaaaaaaaa", false],
  ["abcdefghijklmnop", false],
  ["987654321098", false],
  ["abababababab", false],
  ["mật khẩu rất dài", true],
])("%s", (password, good) => {
  expect(goodPassword(passwordRules(password))).toBe(good);
  expect(progress(password) === 1).toBe(good);
});
