// What fingers and mice do to the tape, without the tape.
import type { Span, Us } from "../lib/time";
import { toUs } from "./view";

/** A press that moves less is a click. */
const CLICK_PX = 4;
/** So close to an edge, the tape moves on under the finger. */
const EDGE_PX = 28;
const EDGE_MS = 60;
const EDGE_SHARE = 0.015;

interface Hands {
  left: () => number;
  width: () => number;
  view: () => Span;
  zoom: (about: Us, factor: number) => void;
  pan: (by: Us) => void;
  scrub: (us: Us) => void;
  drop: (us: Us, how: "keep" | "play") => void;
  dragging: (on: boolean) => void;
}

export class Drag {
  private readonly fingers = new Map<number, number>();
  private begun = 0;
  private moved = false;
  private pinched = false;
  private edge: ReturnType<typeof setInterval> | undefined;
  private readonly hands: Hands;

  constructor(hands: Hands) {
    this.hands = hands;
  }

  down(id: number, x: number): void {
    this.fingers.set(id, x);
    if (this.fingers.size === 1) {
      this.begun = x;
      this.moved = false;
      this.pinched = false;
    } else {
      this.pinched = true;
      this.still();
    }
  }

  move(id: number, x: number): void {
    const before = this.fingers.get(id);
    if (before === undefined) return;
    if (this.fingers.size > 1) return this.pinch(id, before, x);
    this.fingers.set(id, x);
    if (this.pinched) return;
    if (!this.moved && Math.abs(x - this.begun) < CLICK_PX) return;
    if (!this.moved) this.hands.dragging(true);
    this.moved = true;
    this.hands.scrub(this.us(x));
    this.nearEdge(x);
  }

  up(id: number, x: number): void {
    if (!this.fingers.delete(id) || this.fingers.size > 0) return;
    this.still();
    this.hands.dragging(false);
    // Fingers that zoomed did not mean the moment they were lifted at.
    if (!this.pinched) this.hands.drop(this.us(x), this.moved ? "keep" : "play");
  }

  cancel(): void {
    this.fingers.clear();
    this.still();
    this.hands.dragging(false);
  }

  private us(x: number): Us {
    return toUs(this.hands.view(), this.hands.width(), x - this.hands.left());
  }

  private pinch(id: number, before: number, x: number): void {
    const other = [...this.fingers].find(([key]) => key !== id)?.[1] ?? before;
    const [was, is] = [Math.abs(before - other), Math.abs(x - other)];
    if (was > 8 && is > 8) this.hands.zoom(this.us(other), was / is);
    this.fingers.set(id, x);
  }

  private nearEdge(x: number): void {
    this.still();
    const inside = x - this.hands.left();
    const side = inside < EDGE_PX ? -1 : inside > this.hands.width() - EDGE_PX ? 1 : 0;
    if (side === 0) return;
    this.edge = setInterval(() => {
      const { from, to } = this.hands.view();
      this.hands.pan(side * (to - from) * EDGE_SHARE);
      this.hands.scrub(this.us(x));
    }, EDGE_MS);
  }

  private still(): void {
    clearInterval(this.edge);
    this.edge = undefined;
  }
}
