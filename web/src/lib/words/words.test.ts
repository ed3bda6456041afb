import { expect, it } from "vitest";
import { en } from "./en";
import { explain, explainCause } from "./explain";
import { bestLanguage } from "./index";
import { vi } from "./vi";

function leaves(value: object, path = ""): [string, unknown][] {
  return Object.entries(value).flatMap(([key, v]) =>
    typeof v === "object" && v !== null
      ? leaves(v, `${path}${key}.`)
      : [[path + key, v] as [string, unknown]],
  );
}

it("has the same keys in every language, none of them empty", () => {
  expect(leaves(vi).map(([k]) => k)).toEqual(leaves(en).map(([k]) => k));
  for (const [, v] of [...leaves(en), ...leaves(vi)]) expect(v).not.toBe("");
});

it("translates all that is a sentence", () => {
  const other = new Map(leaves(vi));
  const same = leaves(en)
    .filter(([k, v]) => typeof v === "string" && v.includes(" ") && other.get(k) === v)
    .map(([k]) => k);
  expect(same).toEqual([]);
});

it("explains codes, and gives the server's words for those it does not know", () => {
  expect(explain(en, { code: "camera-auth", detail: "x" })).toContain("password");
  expect(explain(vi, { code: "camera-auth", detail: "x" })).toContain("mật khẩu");
  expect(explain(en, { code: "new-code", detail: "the moon is full" })).toBe("The moon is full");
  expect(explain(en, { code: "toString" })).toBe(en.failed.title);
  expect(explainCause(en, "disk_full")).toBe(en.cause.disk_full);
  expect(explainCause(vi, "constructor")).toBe(vi.cause.unknown);
});

it("takes the first language that it speaks", () => {
  expect(bestLanguage(["fr-FR", "vi-VN", "en"])).toBe("vi");
  expect(bestLanguage(["EN-gb"])).toBe("en");
  expect(bestLanguage(["fr"])).toBe("en");
  expect(bestLanguage([])).toBe("en");
});
