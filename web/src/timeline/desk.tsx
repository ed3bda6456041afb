import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { timeline as timelineOf } from "../api/calls";
import { useEvery, useResource } from "../api/resource";
import type { Camera } from "../api/types";
import { atClock, clock, dayOf, daySpan, now, readClock, type Span, type Us } from "../lib/time";
import { navigate, useUrl, withParams } from "../lib/url";
import { useWords } from "../lib/words";
import { useFullScreen } from "../live/full-screen";
import type { RecordPlayer, RecordState } from "../player/record-player";
import { RecordVideo } from "../player/record-video";
import { LinkButton } from "../ui/button";
import { Select } from "../ui/field";
import { Notice } from "../ui/notice";
import { Controls } from "./controls";
import { DayChoice } from "./day";
import { Export } from "./export";
import { placeOf, useInstant } from "./instant";
import { useKeys } from "./keys";
import { Keys, Rows } from "./rows";
import { Tape } from "./tape";
import { firstView, follow, nearest, zoom } from "./view";

const LOOK_MS = 200;

/** A camera's day: the picture above, the tape below. */
export function Desk({ camera, cameras }: { camera: Camera; cameras: Camera[] }) {
  const { words } = useWords();
  const url = useUrl();
  const place = placeOf(url.searchParams);
  const today = dayOf(now());
  const day = daySpan(place.day) ? place.day : today;
  const span = useMemo(() => daySpan(day) ?? { from: 0, to: 1 }, [day]);
  const { value: line, problem } = useResource(timelineOf(camera.id, span.from, span.to));

  const stage = useRef<HTMLDivElement>(null);
  const player = useRef<RecordPlayer>(null);
  const [state, setState] = useState<RecordState>({ kind: "idle" });
  const [at, setAt] = useState<Us>();
  const [view, setView] = useState<Span>(span);
  const [rate, setRate] = useState("1");
  const [muted, setMuted] = useState(true);
  const [piece, setPiece] = useState<Span>();
  const { full, toggle: toggleFull, possible } = useFullScreen(stage);
  const playing = state.kind !== "idle" && (player.current?.playing ?? false);

  const show = useCallback((to: Us) => {
    player.current?.seek(to);
    setAt(to);
  }, []);
  const write = useInstant(camera.id, url.searchParams, show);
  const seek = useCallback(
    (to: Us, how: "keep" | "play" = "keep") => {
      const inside = Math.min(Math.max(to, span.from), span.to - 1);
      show(inside);
      if (how === "play") player.current?.play();
      write(inside, "now");
    },
    [show, write, span],
  );
  const scrub = useCallback((to: Us) => {
    player.current?.scrub(to);
    setAt(to);
  }, []);
  const move = useCallback(
    (by: Us) => {
      if (at !== undefined) seek(at + by);
    },
    [at, seek],
  );
  const togglePlay = useCallback(() => {
    const p = player.current;
    if (!p || p.at() === undefined) return;
    if (p.playing) {
      p.pause();
      write(p.at() ?? 0, "now");
    } else p.play();
    setState((s) => ({ ...s }));
  }, [write]);
  const step = useCallback((seconds: number) => player.current?.step(seconds), []);

  useLook(player, day, { setAt, setView, span, write });
  useFirst(line !== undefined, day, () => {
    if (!line) return;
    setView(firstView(line, span, now()));
    setPiece(undefined);
    if (place.at !== undefined) return setView((v) => follow(v, span, place.at ?? span.from));
    const wish = at !== undefined && day !== today ? atClock(day, clock(at)) : undefined;
    const first = nearest(line, wish ?? (day === today ? span.to : span.from));
    if (first === undefined) return setAt(undefined);
    show(first);
    if (url.searchParams.has("day")) write(first, "now");
  });
  const end = line?.spans.at(-1)?.to_us ?? span.to;
  const cut = useCallback(() => {
    setPiece((p) => (p ? undefined : pieceAbout(at ?? span.from, span, end)));
  }, [at, span, end]);
  useKeys({
    play: togglePlay,
    move,
    step,
    zoom: (factor) =>
      setView((v) => (factor === 0 ? span : zoom(v, span, at ?? (v.from + v.to) / 2, factor))),
    full: toggleFull,
    cut,
    mark: (which) =>
      at !== undefined && setPiece((p) => marked(p ?? pieceAbout(at, span, end), which, at)),
    camera: (n) => {
      const other = cameras[n];
      if (other && other.id !== camera.id) goCamera(other.id);
    },
  });

  const goCamera = (id: string) =>
    navigate(withParams("/timeline", url.searchParams, { camera: id }));
  const goDay = (to: string) =>
    navigate(
      withParams("/timeline", url.searchParams, { camera: camera.id, day: to, at: undefined }),
    );
  const empty = line !== undefined && line.spans.length === 0;

  return (
    <div className="desk">
      <header className="desk-head">
        <h1 className={cameras.length > 1 ? "hidden-text" : ""}>
          {cameras.length > 1 ? words.timeline.title : camera.name}
        </h1>
        {cameras.length > 1 && (
          <Select
            label={words.timeline.camera}
            hideLabel
            options={cameras.map((c) => ({ id: c.id, name: c.name }))}
            value={camera.id}
            onChoose={goCamera}
          />
        )}
        <DayChoice day={day} today={today} first={camera.recorded_from} go={goDay} />
        <span className="desk-space" />
        <LinkButton href={`/?camera=${camera.id}`} go={navigate} icon="live">
          {words.timeline.live}
        </LinkButton>
      </header>
      <div className="desk-stage" ref={stage} data-empty={empty}>
        <RecordVideo
          camera={camera.id}
          name={camera.name}
          muted={muted}
          playerRef={player}
          onState={setState}
          onClick={togglePlay}
        />
        {empty && at === undefined && (
          <div className="picture-message desk-empty">
            <h2>{words.timeline.emptyTitle}</h2>
            <p>{words.timeline.emptyText}</p>
          </div>
        )}
      </div>
      <Controls
        at={at}
        playing={playing}
        ready={at !== undefined}
        togglePlay={togglePlay}
        move={move}
        step={step}
        rate={rate}
        setRate={(next) => {
          setRate(next);
          player.current?.setRate(Number(next));
        }}
        muted={muted}
        setMuted={setMuted}
        sound={camera.tracks.some((t) => t.kind === "audio")}
        full={full}
        toggleFull={possible ? toggleFull : undefined}
        goTime={(text) => {
          const to = atClock(day, readClock(text));
          if (to !== undefined) seek(to);
        }}
        cutting={piece !== undefined}
        cut={cut}
      />
      {problem && !line && <Notice kind="loss">{words.failed.connection}</Notice>}
      <Tape
        key={day}
        line={line}
        day={span}
        view={view}
        setView={setView}
        at={at}
        scrub={scrub}
        seek={seek}
        move={move}
        piece={piece}
        setPiece={setPiece}
      />
      {piece && line && (
        <Export
          camera={camera}
          line={line}
          day={day}
          at={at}
          piece={piece}
          setPiece={setPiece}
          close={() => setPiece(undefined)}
        />
      )}
      <div className="desk-more">
        {line && <Rows line={line} day={span} play={(from) => seek(from, "play")} />}
        <Keys />
      </div>
    </div>
  );
}

/** A minute about an instant; not beyond the end of what is recorded. */
function pieceAbout(at: Us, day: Span, end: Us): Span {
  const to = Math.max(Math.min(at + 30_000_000, day.to, end), at + 1_000_000);
  return { from: Math.max(day.from, to - 60_000_000), to };
}

function marked(piece: Span, end: "in" | "out", at: Us): Span {
  return end === "in" ? { from: at, to: piece.to } : { from: piece.from, to: at };
}

interface Watch {
  setAt: (at: Us) => void;
  setView: (change: (view: Span) => Span) => void;
  span: Span;
  write: (at: Us, how: "now" | "sometimes") => void;
}

/** Lets the clock, the tape and the address follow the picture while it plays. */
function useLook(player: React.RefObject<RecordPlayer | null>, day: string, watch: Watch): void {
  const { setAt, setView, span, write } = watch;
  useEvery(
    LOOK_MS,
    useCallback(() => {
      const p = player.current;
      const at = p?.at();
      if (!p || at === undefined) return;
      // A moment of another day is still on the screen: the person has just left it.
      if (dayOf(at) !== day && !p.playing) return;
      setAt(at);
      if (!p.playing) return;
      if (at >= span.from && at < span.to) setView((v) => follow(v, span, at));
      write(at, "sometimes");
    }, [player, day, setAt, setView, span, write]),
  );
}

/** Calls `first` once per day, when the day's tape is there. */
function useFirst(ready: boolean, day: string, first: () => void): void {
  const done = useRef<string>(undefined);
  const call = useRef(first);
  call.current = first;
  useEffect(() => {
    if (!ready || done.current === day) return;
    done.current = day;
    call.current();
  }, [ready, day]);
}
