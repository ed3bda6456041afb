import {
  type DragEvent,
  type KeyboardEvent,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { conditionOf } from "../api/condition";
import type { Camera } from "../api/types";
import { typing } from "../lib/keys";
import { now } from "../lib/time";
import { navigate, useUrl, withParams } from "../lib/url";
import { useWords } from "../lib/words";
import { LiveVideo } from "../player/live-video";
import { Button } from "../ui/button";
import { Choice } from "../ui/field";
import { Mark } from "../ui/icon";
import { useFullScreen } from "./full-screen";
import { GRIDS, gridOf, type Layout, layout, step } from "./layout";
import { moved, reorder } from "./order";

const GAP = 4;
/** What a dragged tile carries: the id of its camera. */
const CARRIED = "application/x-khien-camera";

export function Wall({
  cameras,
  show,
  owner,
}: {
  cameras: Camera[];
  show: (id: string) => void;
  /** May move cameras to other places. */
  owner: boolean;
}) {
  const { words } = useWords();
  const url = useUrl();
  const stage = useRef<HTMLDivElement>(null);
  const { full, toggle, possible } = useFullScreen(stage);
  const grid = gridOf(url.searchParams.get("grid"), cameras.length);
  const pages = Math.ceil(cameras.length / grid);
  const page = Math.min(pages, Math.max(1, Number(url.searchParams.get("page")) || 1));
  const shown = cameras.slice((page - 1) * grid, page * grid);
  const turn = (to: number) =>
    navigate(
      withParams("/", url.searchParams, { page: to > 1 ? String(to) : undefined }),
      "replace",
    );

  useEffect(() => {
    const onKey = (e: globalThis.KeyboardEvent) => {
      if (!typing(e) && e.key === "f") toggle();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [toggle]);

  return (
    <div className="live">
      <header className="live-head">
        <h1 className="hidden-text">{words.live.title}</h1>
        <Glance cameras={cameras} />
        <div className="row">
          {pages > 1 && (
            <div className="row">
              <Button
                kind="quiet"
                icon="back"
                label={words.live.previous}
                disabled={page <= 1}
                onClick={() => turn(page - 1)}
              />
              <span className="soft">{words.live.page(page, pages)}</span>
              <Button
                kind="quiet"
                icon="next"
                label={words.live.next}
                disabled={page >= pages}
                onClick={() => turn(page + 1)}
              />
            </div>
          )}
          {cameras.length > 1 && (
            <Choice
              label={words.live.grid}
              hideLabel
              options={GRIDS.map((g) => ({ id: String(g), name: String(g) }))}
              value={String(grid)}
              onChoose={(id) =>
                navigate(
                  withParams("/", url.searchParams, { grid: id, page: undefined }),
                  "replace",
                )
              }
            />
          )}
          {possible && (
            <Button
              kind="quiet"
              icon={full ? "shrink" : "full"}
              label={full ? words.live.leaveFull : words.live.full}
              onClick={toggle}
            />
          )}
        </div>
      </header>
      <div className="live-stage" ref={stage}>
        <Tiles
          cameras={shown}
          show={show}
          put={owner ? (id, to) => void reorder(moved(cameras, id, to)) : undefined}
        />
      </div>
      <p className="hidden-text">{owner ? words.live.keysOwner : words.live.keys}</p>
    </div>
  );
}

/** One glance: is everything recording? */
function Glance({ cameras }: { cameras: Camera[] }) {
  const { words, language } = useWords();
  const wanted = cameras.filter((c) => c.enabled && c.state !== "live");
  const losing = cameras.filter((c) => conditionOf(c, words, language, now()).losing);
  if (wanted.length === 0) return <p className="glance" />;
  if (losing.length > 0) {
    return (
      <p className="glance" role="status">
        <Mark shape="broken" tone="loss" />
        {words.live.someNot(losing.length, wanted.length)}
      </p>
    );
  }
  const calm = wanted.every((c) => c.state === "recording");
  return (
    <p className="glance" role="status">
      <Mark shape={calm ? "dot" : "dashes"} tone={calm ? "calm" : "soft"} />
      {calm ? words.live.allRecording(wanted.length) : words.state.connecting}
    </p>
  );
}

function Tiles({
  cameras,
  show,
  put,
}: {
  cameras: Camera[];
  show: (id: string) => void;
  /** Puts a camera where another one is. */
  put: ((id: string, to: string) => void) | undefined;
}) {
  const { words } = useWords();
  const list = useRef<HTMLUListElement>(null);
  const place = useLayoutOf(list, cameras.length);
  const [at, setAt] = useState(0);
  const onKey = (e: KeyboardEvent) => {
    const to = step(e.key, at, cameras.length, place.columns);
    if (to === undefined) return;
    e.preventDefault();
    const [one, other] = [cameras[at], cameras[to]];
    if (e.shiftKey && put && one && other && one !== other) put(one.id, other.id);
    setAt(to);
    // After the page was drawn anew: a moved tile takes the focus with it.
    requestAnimationFrame(() => {
      list.current?.querySelectorAll<HTMLElement>(".tile")[to]?.focus();
    });
  };
  return (
    <ul
      className="tiles"
      ref={list}
      aria-label={words.live.wall}
      onKeyDown={onKey}
      style={{
        gridTemplateColumns: `repeat(${place.columns}, ${place.width}px)`,
        gridAutoRows: `${place.height}px`,
      }}
    >
      {place.width > 0 &&
        cameras.map((camera, i) => (
          <Tile
            key={camera.id}
            camera={camera}
            focusable={i === Math.min(at, cameras.length - 1)}
            onFocus={() => setAt(i)}
            open={() => show(camera.id)}
            put={put}
          />
        ))}
    </ul>
  );
}

/** The layout for the list's own box, again whenever that changes. */
function useLayoutOf(list: React.RefObject<HTMLElement | null>, count: number): Layout {
  const [place, setPlace] = useState<Layout>({ columns: 1, width: 0, height: 0 });
  useLayoutEffect(() => {
    const box = list.current;
    if (!box) return;
    const measure = () => {
      const narrow = box.clientWidth < 600;
      // A phone scrolls; a wall never does.
      const columns = narrow ? (count > 4 ? 2 : 1) : 0;
      if (columns > 0) {
        const width = Math.floor((box.clientWidth - GAP * (columns - 1)) / columns);
        setPlace({ columns, width, height: Math.floor((width * 9) / 16) });
      } else {
        setPlace(layout(count, box.clientWidth, box.clientHeight, GAP));
      }
    };
    const watcher = new ResizeObserver(measure);
    watcher.observe(box);
    return () => watcher.disconnect();
  }, [list, count]);
  return place;
}

function Tile({
  camera,
  focusable,
  onFocus,
  open,
  put,
}: {
  camera: Camera;
  focusable: boolean;
  onFocus: () => void;
  open: () => void;
  put: ((id: string, to: string) => void) | undefined;
}) {
  const { words, language } = useWords();
  const condition = conditionOf(camera, words, language, now());
  const [over, setOver] = useState(false);
  const holds = (e: DragEvent) => put !== undefined && e.dataTransfer.types.includes(CARRIED);
  return (
    <li
      className="tile-place"
      data-over={over}
      onDragOver={(e) => {
        if (!holds(e)) return;
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(e) => {
        setOver(false);
        const id = e.dataTransfer.getData(CARRIED);
        if (id === "" || !put) return;
        e.preventDefault();
        put(id, camera.id);
      }}
    >
      <div className="tile-picture">
        {camera.enabled ? (
          <LiveVideo camera={camera.id} name={camera.name} refused={camera.state === "refused"} />
        ) : (
          <div className="picture">
            <div className="picture-message">{words.live.disabled}</div>
          </div>
        )}
      </div>
      <button
        type="button"
        className="tile"
        tabIndex={focusable ? 0 : -1}
        draggable={put !== undefined}
        onDragStart={(e) => {
          e.dataTransfer.setData(CARRIED, camera.id);
          e.dataTransfer.effectAllowed = "move";
        }}
        onFocus={onFocus}
        onClick={open}
        aria-label={`${words.live.open(camera.name)}. ${condition.text}`}
      >
        <span className="tile-label">
          <Mark shape={condition.shape} tone={condition.tone} />
          <span className="tile-name">{camera.name}</span>
          {condition.shape !== "dot" && <span className="tile-state">{condition.text}</span>}
        </span>
      </button>
    </li>
  );
}
