import { expect, it } from "vitest";
import { bitrate, bytes } from "./units";

const plain = (s: string) => s.replaceAll("\u00a0", " ");

it.each([
  [0, "0 B"],
  [999, "999 B"],
  [1500, "1.5 kB"],
  [999_999, "1 MB"],
  [3_400_000_000, "3.4 GB"],
  [512_000_000_000, "512 GB"],
  [-1, "0 B"],
])("%i bytes", (n, text) => {
  expect(plain(bytes(n, "en"))).toBe(text);
});

it("uses the language's decimal sign", () => {
  expect(plain(bytes(3_400_000_000, "vi"))).toBe("3,4 GB");
  expect(plain(bitrate(400_000, "vi"))).toBe("3,2 Mbit/s");
  expect(plain(bitrate(40_000, "en"))).toBe("320 kbit/s");
});
