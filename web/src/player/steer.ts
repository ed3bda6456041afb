// Where the play head should be and how fast it should run. Pure: numbers in, one decision out.

export interface Range {
  start: number;
  end: number;
}

export type Steer = { do: "keep" } | { do: "rate"; rate: number } | { do: "seek"; to: number };

/** What the player sees when it asks. Seconds of media time unless said otherwise. */
export interface LiveView {
  at: number;
  rate: number;
  ranges: readonly Range[];
  /** Seconds by the clock for which the picture has stood still although it should move. */
  stalled: number;
  /** The first picture of this connection was shown and the first jump is done. */
  settled: boolean;
  /** Wanted distance to the newest picture. */
  target: number;
}

export const TARGET_MIN = 0.3;
/** So much more than wanted is put up with at normal speed. */
const SLACK = 0.15;
export const TARGET_MAX = 3;
const JUMP_GAP = 2;
const JUMP_GAP_FRESH = 1;
const STALL = 0.4;

const KEEP: Steer = { do: "keep" };

/** Keeps a live picture close to now without visible jumps. */
export function steerLive(view: LiveView): Steer {
  const newest = view.ranges.at(-1);
  if (!newest) return KEEP;
  const edge = Math.max(newest.start, newest.end - view.target);
  const gap = newest.end - view.at;
  // Before the newest range or behind its end: there is nothing to show where we are.
  if (view.at < newest.start - 0.05) {
    const inside = view.ranges.some((r) => view.at >= r.start - 0.05 && view.at < r.end - 0.1);
    if (!inside || gap > JUMP_GAP) return { do: "seek", to: edge };
  }
  if (gap < -0.25) return { do: "seek", to: edge };
  if (gap > (view.settled ? JUMP_GAP : JUMP_GAP_FRESH) + view.target)
    return { do: "seek", to: edge };
  if (view.stalled > STALL && gap > view.target + 0.3) return { do: "seek", to: edge };
  const rate = liveRate(gap, view.target, view.rate);
  return rate === view.rate ? KEEP : { do: "rate", rate };
}

/** 1 near the target, up to 1.1 above it, 0.97 when the buffer runs dry. With hysteresis. */
export function liveRate(gap: number, target: number, now: number): number {
  const high = target + SLACK;
  if (gap > high || (now > 1 && gap > target)) {
    const excess = Math.max(0, gap - target);
    return Math.min(1.1, Math.round((1.03 + excess * 0.15) * 100) / 100);
  }
  if (gap < target / 2 || (now < 1 && gap < target * 0.8)) return 0.97;
  return 1;
}

/** The wanted distance after a stall (more) or after calm (less). Seconds. */
export function nextTarget(target: number, stalled: boolean, calm_s: number): number {
  if (stalled) return Math.min(TARGET_MAX, target * 1.4);
  if (calm_s > 30) return Math.max(TARGET_MIN, target * 0.85);
  return target;
}

/** What of the past to forget; undefined if it is not worth the trouble. */
export function trim(
  ranges: readonly Range[],
  at: number,
  keep: number,
  slack = 10,
): Range | undefined {
  const first = ranges[0];
  if (!first || first.start > at - keep - slack) return undefined;
  return { start: 0, end: at - keep };
}

/** Where to go on when the picture stands at a hole: the start of what comes next. */
export function overHole(ranges: readonly Range[], at: number): number | undefined {
  for (const range of ranges) {
    if (at >= range.start && at < range.end - 0.15) return undefined;
    if (range.start > at) return range.start + 0.01;
  }
  return undefined;
}

/** Seconds of media that can be played from here without a hole. */
export function ahead(ranges: readonly Range[], at: number): number {
  const here = ranges.find((r) => at >= r.start - 0.1 && at < r.end);
  return here ? here.end - at : 0;
}

export function toRanges(list: TimeRanges): Range[] {
  const out: Range[] = [];
  for (let i = 0; i < list.length; i += 1) out.push({ start: list.start(i), end: list.end(i) });
  return out;
}
