import { describe, expect, it } from "vitest";
import { peek } from "./boxes";

const u32 = (n: number) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const box = (kind: string, ...body: number[][]): number[] => {
  const flat = body.flat();
  return [...u32(flat.length + 8), ...[...kind].map((c) => c.charCodeAt(0)), ...flat];
};
const buffer = (bytes: number[]) => new Uint8Array(bytes).buffer;

const KEY = 0x0200_0000;
const DELTA = 0x0101_0000;
const fragment = (tfhd: number[], tfdt: number[], trun: number[]) =>
  box(
    "moof",
    box("mfhd", u32(0), u32(1)),
    box("traf", box("tfhd", tfhd), box("tfdt", tfdt), box("trun", trun)),
  );

const plainTfhd = [...u32(0x02_0000), ...u32(1)];
const flagsTfhd = (flags: number) => [...u32(0x02_0028), ...u32(1), ...u32(3000), ...u32(flags)];
const short = [...u32(0), ...u32(9000)];
const long = [...u32(0x0100_0000), ...u32(1), ...u32(5)];
const bare = [...u32(0x1), ...u32(1), ...u32(0)];

describe("peek", () => {
  it.each([
    [
      "first sample flags",
      fragment(plainTfhd, short, [...u32(0x5), ...u32(1), ...u32(0), ...u32(DELTA)]),
      9000,
      false,
    ],
    [
      "sample flags",
      fragment(plainTfhd, short, [...u32(0x601), ...u32(1), ...u32(0), ...u32(77), ...u32(KEY)]),
      9000,
      true,
    ],
    ["default flags", fragment(flagsTfhd(DELTA), short, bare), 9000, false],
    ["no flags at all", fragment(plainTfhd, short, bare), 9000, true],
    ["64-bit time", fragment(flagsTfhd(KEY), long, bare), 2 ** 32 + 5, true],
    [
      "a box before",
      [...box("styp", [1, 2]), ...fragment(flagsTfhd(KEY), short, bare)],
      9000,
      true,
    ],
  ])("%s", (_, bytes, decodeTime, key) => {
    expect(peek(buffer(bytes))).toEqual({ track: 1, decodeTime, key });
  });

  it("refuses what is cut or no fragment, at every length", () => {
    const whole = fragment(flagsTfhd(DELTA), long, bare);
    for (let n = 0; n < whole.length; n += 1)
      expect(peek(buffer(whole.slice(0, n)))).toBeUndefined();
    expect(peek(buffer(box("mdat", [1, 2, 3])))).toBeUndefined();
    expect(peek(buffer([...u32(4), 109, 111, 111, 102]))).toBeUndefined();
  });
});
