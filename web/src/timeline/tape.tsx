// The day as a tape: what is recorded, what is missing, where we are.
import { type PointerEvent, useEffect, useMemo, useRef, useState } from "react";
import type { Timeline } from "../api/types";
import { clock, duration, MINUTE, now, type Span, type Us } from "../lib/time";
import { explainCause, useWords, type Words } from "../lib/words";
import { Button } from "../ui/button";
import { Drag } from "./drag";
import { JUMP } from "./keys";
import { CLOSEST, pan, recordedIn, runs, ticks, toUs, toX, whatAt, zoom } from "./view";

const HIGH = 68;
const RULER = 22;
const LABEL_EVERY = 72;

interface Props {
  line: Timeline | undefined;
  day: Span;
  view: Span;
  setView: (change: (view: Span) => Span) => void;
  at: Us | undefined;
  scrub: (to: Us) => void;
  seek: (to: Us, how?: "keep" | "play") => void;
  move: (by: Us) => void;
  piece: Span | undefined;
  setPiece: (piece: Span) => void;
}

export function Tape(props: Props) {
  const { line, day, view, setView, at } = props;
  const { words, language } = useWords();
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [over, setOver] = useState<number>();
  const drag = useDrag(box, width, props);
  useWheel(box, width, day, setView);
  const x = at === undefined ? undefined : toX(view, width, at);
  const seen = x !== undefined && x >= -1 && x <= width + 1;

  const onKey = (e: React.KeyboardEvent) => {
    const jumps: Record<string, Us> = {
      ArrowUp: JUMP,
      ArrowDown: -JUMP,
      PageUp: 10 * MINUTE,
      PageDown: -10 * MINUTE,
    };
    const first = line?.spans[0]?.from_us;
    const last = line?.spans.at(-1)?.to_us;
    if (e.key in jumps) props.move(jumps[e.key] ?? 0);
    else if (e.key === "Home" && first !== undefined) props.seek(first);
    else if (e.key === "End" && last !== undefined) props.seek(last - JUMP);
    else if (e.key === "Enter" && at !== undefined) props.seek(at, "play");
    else return;
    e.preventDefault();
  };

  return (
    <section className="tape" aria-label={words.timeline.bar}>
      <div
        ref={box}
        className="tape-box"
        role="slider"
        tabIndex={0}
        aria-label={words.timeline.bar}
        aria-describedby="tape-hint"
        aria-valuemin={Math.round(day.from / 1e6)}
        aria-valuemax={Math.round(day.to / 1e6)}
        aria-valuenow={Math.round((at ?? day.from) / 1e6)}
        aria-valuetext={at === undefined ? words.timeline.pick : factOf(line, at, words)}
        data-dragging={drag.dragging}
        onKeyDown={onKey}
        onPointerDown={drag.down}
        onPointerMove={(e) => {
          setOver(e.pointerType === "mouse" ? e.nativeEvent.offsetX : undefined);
          drag.move(e);
        }}
        onPointerUp={drag.up}
        onPointerCancel={drag.cancel}
        onPointerLeave={() => setOver(undefined)}
      >
        <Bars line={line} day={day} view={view} width={width} />
        {props.piece && <Piece piece={props.piece} view={view} width={width} />}
        {over !== undefined && !drag.dragging && (
          <Flag x={over} width={width} text={factOf(line, toUs(view, width, over), words)} ghost />
        )}
        {seen && <Flag x={x} width={width} text={at === undefined ? "" : clock(at)} />}
      </div>
      <div className="tape-foot">
        <p className="soft">{line ? summaryOf(line, day, words, language) : "\u00a0"}</p>
        <div className="row">
          <Button
            kind="quiet"
            icon="zoomOut"
            label={words.timeline.zoomOut}
            disabled={view.to - view.from >= day.to - day.from}
            onClick={() => setView((v) => zoom(v, day, at ?? (v.from + v.to) / 2, 2))}
          />
          <Button
            kind="quiet"
            icon="zoomIn"
            label={words.timeline.zoomIn}
            disabled={view.to - view.from <= CLOSEST}
            onClick={() => setView((v) => zoom(v, day, at ?? (v.from + v.to) / 2, 0.5))}
          />
          <Button kind="quiet" onClick={() => setView(() => day)}>
            {words.timeline.wholeDay}
          </Button>
        </div>
      </div>
      <p className="hidden-text" id="tape-hint">
        {words.timeline.barHint}
      </p>
    </section>
  );
}

function factOf(line: Timeline | undefined, us: Us, words: Words): string {
  const text = clock(us);
  if (!line) return text;
  const found = whatAt(line, us, now());
  switch (found.kind) {
    case "recorded":
      return words.timeline.atRecorded(text);
    case "gap":
      return words.timeline.atGap(text, explainCause(words, found.cause));
    case "expired":
      return words.timeline.atExpired(text);
    case "nothing":
      return words.timeline.atNothing(text);
  }
}

function summaryOf(line: Timeline, day: Span, words: Words, language: string): string {
  if (line.spans.length === 0) {
    return line.expired.length > 0 ? words.timeline.expiredDay : words.timeline.emptyTitle;
  }
  return words.timeline.summary(duration(recordedIn(line, day), language), line.gaps.length);
}

function Bars({
  line,
  day,
  view,
  width,
}: {
  line: Timeline | undefined;
  day: Span;
  view: Span;
  width: number;
}) {
  const { words } = useWords();
  const present = now();
  const bars = useMemo(() => (line ? runs(line, view, width, now()) : []), [line, view, width]);
  const marks = useMemo(() => ticks(view, width, LABEL_EVERY), [view, width]);
  const nowX = toX(view, width, present);
  return (
    <svg className="tape-bars" width={width} height={HIGH} aria-hidden="true">
      <defs>
        <pattern id="tape-hatch" width="6" height="6" patternUnits="userSpaceOnUse">
          <path d="M-1 7 7 -1M-1 1 1 -1M5 7 7 5" className="tape-hatch" />
        </pattern>
      </defs>
      <rect className="tape-bed" x="0" y={RULER} width={width} height={HIGH - RULER} rx="6" />
      {bars.map((b) =>
        b.kind !== "gap" ? (
          <rect
            key={`${b.kind}${b.x}`}
            className={b.kind === "recorded" ? "tape-recorded" : "tape-expired"}
            x={b.x}
            y={RULER}
            width={b.width}
            height={HIGH - RULER}
          />
        ) : (
          <g key={`g${b.x}`}>
            <rect className="tape-gap" x={b.x} y={RULER} width={b.width} height={HIGH - RULER} />
            <rect fill="url(#tape-hatch)" x={b.x} y={RULER} width={b.width} height={HIGH - RULER} />
          </g>
        ),
      )}
      {marks.at.map((us) => {
        const x = toX(view, width, us);
        const last = us >= day.to;
        const half = marks.seconds ? 26 : 17;
        return (
          <g key={us}>
            <path className="tape-tick" d={`M${x} ${RULER - 5}V${RULER}`} />
            {!last && x < width - half - 4 && (
              <text className="tape-label" x={Math.max(0, x - half)} y={RULER - 9}>
                {clock(us, marks.seconds)}
              </text>
            )}
          </g>
        );
      })}
      {nowX > 0 && nowX < width && (
        <>
          <path className="tape-now" d={`M${nowX} ${RULER}V${HIGH}`} />
          {nowX < width - 48 && (
            <text className="tape-now-label" x={nowX + 6} y={HIGH - 8}>
              {words.common.now}
            </text>
          )}
        </>
      )}
    </svg>
  );
}

/** A moment's line with its words above it. */
function Flag({
  x,
  width,
  text,
  ghost = false,
}: {
  x: number;
  width: number;
  text: string;
  ghost?: boolean;
}) {
  const side = x < width * 0.15 ? "left" : x > width * 0.85 ? "right" : "middle";
  return (
    <div className="tape-flag" data-ghost={ghost} style={{ transform: `translateX(${x}px)` }}>
      <span data-side={side}>{text}</span>
    </div>
  );
}

function Piece({ piece, view, width }: { piece: Span; view: Span; width: number }) {
  const from = Math.max(0, toX(view, width, piece.from));
  const to = Math.min(width, toX(view, width, piece.to));
  if (to <= from) return null;
  return (
    <div
      className="tape-piece"
      style={{ left: `${from}px`, width: `${Math.max(2, to - from)}px` }}
    />
  );
}

function useWidth(box: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const watcher = new ResizeObserver(() => setWidth(element.clientWidth));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, [box]);
  return width;
}

/** Pointers on the tape: one drags the play head, two spread the time. */
function useDrag(box: React.RefObject<HTMLElement | null>, width: number, props: Props) {
  const [dragging, setDragging] = useState(false);
  const live = useRef({ width, props });
  live.current = { width, props };
  const drag = useMemo(
    () =>
      new Drag({
        left: () => box.current?.getBoundingClientRect().left ?? 0,
        width: () => live.current.width,
        view: () => live.current.props.view,
        zoom: (about, factor) => {
          const { setView, day } = live.current.props;
          setView((v) => zoom(v, day, about, factor));
        },
        pan: (by) => {
          const { setView, day } = live.current.props;
          setView((v) => pan(v, day, by));
        },
        scrub: (us) => live.current.props.scrub(us),
        drop: (us, how) => live.current.props.seek(us, how),
        dragging: setDragging,
      }),
    [box],
  );
  useEffect(() => () => drag.cancel(), [drag]);
  return {
    dragging,
    down: (e: PointerEvent<HTMLElement>) => {
      if (e.button !== 0) return;
      e.currentTarget.setPointerCapture(e.pointerId);
      drag.down(e.pointerId, e.clientX);
    },
    move: (e: PointerEvent<HTMLElement>) => drag.move(e.pointerId, e.clientX),
    up: (e: PointerEvent<HTMLElement>) => drag.up(e.pointerId, e.clientX),
    cancel: () => drag.cancel(),
  };
}

/** The wheel zooms about the pointer; sideways or with shift it moves the window. */
function useWheel(
  box: React.RefObject<HTMLElement | null>,
  width: number,
  day: Span,
  setView: (change: (view: Span) => Span) => void,
): void {
  useEffect(() => {
    const element = box.current;
    if (!element || width === 0) return;
    const onWheel = (e: WheelEvent) => {
      e.preventDefault();
      const x = e.clientX - element.getBoundingClientRect().left;
      const unit = e.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
      const sideways = e.shiftKey ? e.deltaY || e.deltaX : e.deltaX;
      setView((v) =>
        e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)
          ? pan(v, day, ((sideways * unit) / width) * (v.to - v.from))
          : zoom(v, day, toUs(v, width, x), 1.0015 ** (e.deltaY * unit)),
      );
    };
    // Not by React: its wheel listeners cannot stop the page from scrolling.
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [box, width, day, setView]);
}
