// Which instant of the world a position in the media is.
import type { Us } from "../lib/time";

/** One known point: this media time was this wall time. */
export interface Anchor {
  media_s: number;
  wall_us: Us;
}

/** Anchors in the order of media time; between two, time runs at normal speed. */
export class WallClock {
  private anchors: Anchor[] = [];
  private readonly most: number;

  constructor(most = 2000) {
    this.most = most;
  }

  clear(): void {
    this.anchors = [];
  }

  add(anchor: Anchor): void {
    const at = this.after(anchor.media_s - 0.001);
    const same = Math.abs((this.anchors[at]?.media_s ?? Number.NaN) - anchor.media_s) <= 0.001;
    this.anchors.splice(at, same ? 1 : 0, anchor);
    if (this.anchors.length > this.most) this.anchors.shift();
  }

  /** The wall time of a media time; undefined while nothing is known. */
  wall(media_s: number): Us | undefined {
    const anchor = this.anchors[Math.max(0, this.after(media_s) - 1)];
    if (!anchor) return undefined;
    return anchor.wall_us + Math.round((media_s - anchor.media_s) * 1e6);
  }

  /** The media time of a wall time; undefined while nothing is known. */
  media(wall_us: Us): number | undefined {
    const anchor = this.anchors.findLast((a) => a.wall_us <= wall_us) ?? this.anchors[0];
    if (!anchor) return undefined;
    return anchor.media_s + (wall_us - anchor.wall_us) / 1e6;
  }

  /** Index of the first anchor later than a media time. */
  private after(media_s: number): number {
    let [low, high] = [0, this.anchors.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.anchors[middle]?.media_s ?? 0) <= media_s) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
