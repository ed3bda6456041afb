import { describe, expect, it } from "vitest";
import * as time from "./time";

const at = (text: string) => Date.parse(text) * 1000;

describe("days", () => {
  it.each([
    ["2026-11-23", 24],
    ["2026-03-29", 23],
    ["2026-10-25", 25],
  ])("%s has %i hours", (day, hours) => {
    const span = time.daySpan(day);
    expect(span && (span.to - span.from) / time.HOUR).toBe(hours);
    expect(span && time.dayOf(span.from)).toBe(day);
  });
  it("refuses what is no day", () => {
    for (const bad of ["", "today", "2026-13-01", "2026-02-30", "2026-1-1"]) {
      expect(time.daySpan(bad)).toBeUndefined();
    }
  });
  it("steps over month, year and summer time", () => {
    expect(time.shiftDay("2026-12-31", 1)).toBe("2027-01-01");
    expect(time.shiftDay("2026-03-29", -1)).toBe("2026-03-28");
    expect(time.shiftDay("2026-10-24", 1)).toBe("2026-10-25");
    expect(time.shiftDay("2026-10-25", 1)).toBe("2026-10-26");
  });
  it("lists hours of the clock, not of the stopwatch", () => {
    const span = time.daySpan("2026-10-25");
    if (!span) throw new Error("no day");
    const names = time.hoursIn(span, 6).map((us) => time.clock(us, false));
    expect(names).toEqual(["00:00", "06:00", "12:00", "18:00", "00:00"]);
  });
});

describe("texts", () => {
  it("reads moments", () => {
    expect(time.parseMoment("2026-11-23T10:00:00Z")).toBe(at("2026-11-23T10:00:00Z"));
    expect(time.parseMoment("1795428000000000")).toBe(1795428000000000);
    for (const bad of [null, undefined, "", "noon", "2026", "2026-11-23", "12"]) {
      expect(time.parseMoment(bad)).toBeUndefined();
    }
  });
  it("shows a 24-hour clock and reads it back", () => {
    const us = at("2026-11-23T22:04:05Z");
    expect(time.clock(us)).toBe("23:04:05");
    expect(time.clock(us, false)).toBe("23:04");
    expect(time.atClock("2026-11-23", "23:04:05")).toBe(us);
    expect(time.atClock("2026-11-23", "23:04")).toBe(at("2026-11-23T22:04:00Z"));
    expect(time.atClock("2026-11-23", "24:00")).toBeUndefined();
    expect(time.atClock("2026-11-23", "")).toBeUndefined();
  });
  it.each([
    ["9:5", "09:05"],
    ["14.07.31", "14:07:31"],
    ["1407", "14:07"],
    ["905", "09:05"],
    ["140731", "14:07:31"],
    ["noon", "noon"],
    ["", ""],
  ])("reads %s as %s", (typed, text) => expect(time.readClock(typed)).toBe(text));
  it.each([
    [0, "en", "0 s"],
    [59_400_000, "en", "59 s"],
    [125_000_000, "en", "2 min 05 s"],
    [125_000_000, "vi", "2 phút 05 giây"],
    [3 * time.HOUR + 12 * time.MINUTE, "en", "3 h 12 min"],
    [52 * time.HOUR, "en", "2 days 4 h"],
    [-5, "en", "0 s"],
  ])("%i µs in %s is %s", (us, language, text) => {
    expect(time.duration(us, language).replaceAll("\u00a0", " ")).toBe(text);
  });
});
