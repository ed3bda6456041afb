import { expect, it, vi } from "vitest";
import { Drag } from "./drag";

function setup() {
  const log: string[] = [];
  const drag = new Drag({
    left: () => 100,
    width: () => 1000,
    view: () => ({ from: 0, to: 1_000_000 }),
    zoom: (about, factor) => log.push(`zoom ${about} ${factor}`),
    pan: (by) => log.push(`pan ${by}`),
    scrub: (us) => log.push(`scrub ${us}`),
    drop: (us, how) => log.push(`drop ${us} ${how}`),
    dragging: (on) => log.push(on ? "on" : "off"),
  });
  return { drag, log };
}

it("plays where it is clicked", () => {
  const { drag, log } = setup();
  drag.down(1, 600);
  drag.move(1, 602);
  drag.up(1, 602);
  expect(log).toEqual(["off", "drop 502000 play"]);
});

it("searches while it is dragged and stays where it is let go", () => {
  const { drag, log } = setup();
  drag.down(1, 600);
  drag.move(1, 700);
  drag.move(1, 710);
  drag.up(1, 710);
  expect(log).toEqual(["on", "scrub 600000", "scrub 610000", "off", "drop 610000 keep"]);
});

it("zooms with two fingers and jumps nowhere afterwards", () => {
  const { drag, log } = setup();
  drag.down(1, 300);
  drag.down(2, 400);
  drag.move(2, 500);
  drag.up(2, 500);
  drag.move(1, 350);
  drag.up(1, 350);
  expect(log).toEqual(["zoom 200000 0.5", "off"]);
});

it("moves on at the edge until let go", () => {
  vi.useFakeTimers();
  const { drag, log } = setup();
  drag.down(1, 600);
  drag.move(1, 1095);
  vi.advanceTimersByTime(130);
  expect(log.filter((l) => l.startsWith("pan"))).toEqual(["pan 15000", "pan 15000"]);
  drag.up(1, 1095);
  const then = log.length;
  vi.advanceTimersByTime(1000);
  expect(log).toHaveLength(then);
  vi.useRealTimers();
});
