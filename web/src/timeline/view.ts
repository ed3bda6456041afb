// The day's tape as numbers: what lies where, at which zoom. No pixels are drawn here.
import type { Timeline } from "../api/types";
import { HOUR, hoursIn, MINUTE, SECOND, type Span, toDate, type Us } from "../lib/time";

/** The closest look: two minutes over the whole width. */
export const CLOSEST: Us = 2 * MINUTE;

const clamp = (n: number, low: number, high: number): number => Math.min(high, Math.max(low, n));

/** A window of some length that begins at `from`, moved so that it lies in the day. */
function within(day: Span, from: Us, length: Us): Span {
  const fits = Math.min(length, day.to - day.from);
  const start = clamp(from, day.from, day.to - fits);
  return { from: start, to: start + fits };
}

/** The window `factor` times as long, with `about` staying where it is. */
export function zoom(view: Span, day: Span, about: Us, factor: number): Span {
  const length = clamp((view.to - view.from) * factor, CLOSEST, day.to - day.from);
  const share = (clamp(about, view.from, view.to) - view.from) / (view.to - view.from);
  return within(day, about - share * length, length);
}

export const pan = (view: Span, day: Span, by: Us): Span =>
  within(day, view.from + by, view.to - view.from);

/** The window, moved on if the play head has left it. */
export function follow(view: Span, day: Span, at: Us): Span {
  if (at >= view.from && at <= view.to) return view;
  const length = view.to - view.from;
  return within(day, at - length / 10, length);
}

/** What to look at first: the whole day, or closer if little of it is recorded. */
export function firstView(timeline: Timeline, day: Span, now: Us): Span {
  const first = timeline.spans[0];
  const last = timeline.spans.at(-1);
  if (!first || !last) return day;
  const begin = Math.max(first.from_us, day.from);
  const end = clamp(Math.max(last.to_us, Math.min(now, day.to)), begin, day.to);
  const length = end - begin;
  if (length > (day.to - day.from) / 6) return day;
  const wanted = Math.max(5 * MINUTE, length * 1.6);
  return within(day, begin - (wanted - length) / 2, wanted);
}

export const toX = (view: Span, width: number, us: Us): number =>
  ((us - view.from) / (view.to - view.from)) * width;

export const toUs = (view: Span, width: number, x: number): Us =>
  Math.round(view.from + (clamp(x, 0, width) / Math.max(1, width)) * (view.to - view.from));

export type Kind = "recorded" | "gap" | "expired";

export interface Run {
  x: number;
  width: number;
  kind: Kind;
}

/** Narrowest that a gap is drawn: a second of it must be seen in a whole day. */
const GAP_MIN = 3;
/** Recorded pieces closer than this many pixels are drawn as one. */
const JOIN = 0.5;

/** Spans, deleted spans and gaps as bars, at most a few per pixel. */
export function runs(timeline: Timeline, view: Span, width: number, now: Us): Run[] {
  const out: Run[] = [];
  const add = (from: Us, to: Us, kind: Kind, least: number) => {
    if (to < view.from || from > view.to) return;
    const x = clamp(toX(view, width, from), 0, width);
    const end = clamp(toX(view, width, to), 0, width);
    const wide = Math.max(least, end - x);
    const last = out.at(-1);
    if (last?.kind === kind && x - (last.x + last.width) < JOIN) {
      last.width = Math.max(last.width, x + wide - last.x);
    } else {
      out.push({ x, width: wide, kind });
    }
  };
  for (const span of timeline.expired) add(span.from_us, span.to_us, "expired", 1);
  for (const span of timeline.spans) add(span.from_us, span.to_us, "recorded", 1);
  for (const gap of timeline.gaps) add(gap.from_us, gap.to_us ?? now, "gap", GAP_MIN);
  return out;
}

export type Found = { kind: "recorded" | "expired" | "nothing" } | { kind: "gap"; cause: string };

/** What there is at an instant. */
export function whatAt(timeline: Timeline, us: Us, now: Us): Found {
  const gap = timeline.gaps.find((g) => us >= g.from_us && us < (g.to_us ?? now));
  if (gap) return { kind: "gap", cause: gap.cause };
  if (timeline.spans.some((s) => us >= s.from_us && us <= s.to_us)) return { kind: "recorded" };
  if (timeline.expired.some((s) => us >= s.from_us && us < s.to_us)) return { kind: "expired" };
  return { kind: "nothing" };
}

/** The recorded instant that is closest to a wish: itself, the next, or shortly before the end. */
export function nearest(timeline: Timeline, wish: Us): Us | undefined {
  const last = timeline.spans.at(-1);
  const next = timeline.spans.find((s) => s.to_us > wish);
  if (next) return Math.max(wish, next.from_us);
  return last && Math.max(last.from_us, last.to_us - 10 * SECOND);
}

/** How much of a span is recorded. */
export function recordedIn(timeline: Timeline, span: Span): Us {
  let sum = 0;
  for (const s of timeline.spans) {
    sum += Math.max(0, Math.min(s.to_us, span.to) - Math.max(s.from_us, span.from));
  }
  return sum;
}

export interface Row extends Span {
  kind: Kind;
  cause?: string;
  /** The gap has no end yet. */
  lasts: boolean;
}

/** Spans, deleted spans and gaps of the day in the order of time. */
export function rows(timeline: Timeline, now: Us): Row[] {
  const recorded = timeline.spans.map(
    (s): Row => ({ from: s.from_us, to: s.to_us, kind: "recorded", lasts: false }),
  );
  const gaps = timeline.gaps.map(
    (g): Row => ({
      from: g.from_us,
      to: g.to_us ?? now,
      kind: "gap",
      cause: g.cause,
      lasts: g.to_us === null,
    }),
  );
  const expired = timeline.expired.map(
    (s): Row => ({ from: s.from_us, to: s.to_us, kind: "expired", lasts: false }),
  );
  return [...recorded, ...gaps, ...expired].sort((a, b) => a.from - b.from);
}

export interface Ticks {
  at: Us[];
  /** Seconds are part of the labels. */
  seconds: boolean;
}

const SMALL: readonly Us[] = [10, 30, 60, 120, 300, 600, 900, 1800].map((s) => s * SECOND);
const HOURS: readonly number[] = [1, 2, 3, 6, 12];

/** Round times in the window, at least `apart` pixels from each other. */
export function ticks(view: Span, width: number, apart: number): Ticks {
  const least = ((view.to - view.from) / Math.max(1, width)) * apart;
  const step = SMALL.find((s) => s >= least);
  if (step !== undefined) {
    const at: Us[] = [];
    // Zones differ by whole quarters of an hour: round local minutes are found from the hour on.
    const d = toDate(view.from);
    d.setMinutes(0, 0, 0);
    for (let us = d.getTime() * 1000; us <= view.to; us += step) if (us >= view.from) at.push(us);
    return { at, seconds: step < MINUTE };
  }
  const hours = HOURS.find((h) => h * HOUR >= least) ?? 12;
  return { at: hoursIn(view, hours), seconds: false };
}
