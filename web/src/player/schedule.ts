// Which bytes of which segment to fetch next, and where on the day's time line they go.
import type { Fragment } from "../api/types";
import type { Us } from "../lib/time";

/** One request: neighbouring fragments of one segment with one init segment. */
export interface Batch {
  segment: string;
  init: string;
  offset: number;
  size: number;
  fragments: Fragment[];
}

const BATCH_BYTES_MAX = 4_000_000;
const BATCH_US_MAX = 10_000_000;
/** Drift between media time and wall time that is put up with before the offset is set anew. */
const DRIFT_S = 0.1;

/** Where a fragment's media time begins on the wall, seconds. */
const exact = (f: Fragment): number => f.start_us / 1e6 - f.decode_time_s;

/** The first batch of a list; the first picture of all (`small`) comes alone so that it is soon there. */
export function firstBatch(fragments: readonly Fragment[], small: boolean): Batch | undefined {
  const first = fragments[0];
  if (!first) return undefined;
  const batch: Batch = {
    segment: first.segment,
    init: first.init,
    offset: first.offset,
    size: first.size,
    fragments: [first],
  };
  if (small) return batch;
  for (const next of fragments.slice(1)) {
    const joins =
      next.segment === batch.segment &&
      next.init === batch.init &&
      next.offset === batch.offset + batch.size &&
      batch.size + next.size <= BATCH_BYTES_MAX &&
      next.end_us - first.start_us <= BATCH_US_MAX &&
      Math.abs(exact(next) - exact(first)) <= DRIFT_S;
    if (!joins) break;
    batch.size += next.size;
    batch.fragments.push(next);
  }
  return batch;
}

export interface Placed {
  init: string;
  offset_s: number;
}

/**
 * The timestampOffset for a fragment. It stays as it is while the media runs on, because setting
 * it anew makes tiny overlaps; it follows the wall clock where that has moved by more than `DRIFT_S`.
 */
export function placeOffset(fragment: Fragment, base_us: Us, before: Placed | undefined): Placed {
  const offset_s = (fragment.start_us - base_us) / 1e6 - fragment.decode_time_s;
  const same = before?.init === fragment.init && Math.abs(before.offset_s - offset_s) <= DRIFT_S;
  return { init: fragment.init, offset_s: same ? before.offset_s : offset_s };
}

/**
 * From a list that covers `at`: the fragments to play, starting with one that can be decoded alone.
 * Undefined if decoding `at` needs fragments from before the list.
 */
export function startingAt(fragments: readonly Fragment[], at: Us): Fragment[] | undefined {
  let start = -1;
  for (const [i, f] of fragments.entries()) {
    if (f.start_us > at && start >= 0) break;
    if (f.random_access) start = i;
    else if (start < 0 && f.start_us <= at && f.end_us > at) return undefined;
    if (start >= 0 && f.start_us > at) break;
  }
  return start < 0 ? [] : fragments.slice(start);
}

/** Fragments of a later answer that come behind the last one that we have. */
export function newer(fragments: readonly Fragment[], last: Fragment): Fragment[] {
  return fragments.filter((f) =>
    f.segment === last.segment ? f.offset > last.offset : f.start_us > last.start_us,
  );
}

/** Seconds to keep loaded ahead of the play head, in media time. */
export const wantAhead = (rate: number): number => Math.min(60, 15 * Math.max(1, rate));
