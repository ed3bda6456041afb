import { useCallback, useEffect, useRef, useState } from "react";
import { conditionOf } from "../api/condition";
import { useEvery } from "../api/resource";
import type { Camera } from "../api/types";
import { typing } from "../lib/keys";
import { clock, now } from "../lib/time";
import { navigate } from "../lib/url";
import { useWords } from "../lib/words";
import { codecName, codecsOf } from "../player/codec";
import type { LiveInfo, LivePlayer } from "../player/live-player";
import { LiveVideo } from "../player/live-video";
import { Button, LinkButton } from "../ui/button";
import { Mark } from "../ui/icon";
import { useFullScreen } from "./full-screen";

/** One camera, as large as it goes. */
export function Single({
  camera,
  cameras,
  show,
}: {
  camera: Camera;
  cameras: Camera[];
  show: (id: string | undefined) => void;
}) {
  const { words, language } = useWords();
  const stage = useRef<HTMLDivElement>(null);
  const player = useRef<LivePlayer>(null);
  const [muted, setMuted] = useState(true);
  const [details, setDetails] = useState(false);
  const [info, setInfo] = useState<LiveInfo>();
  const { full, toggle, possible } = useFullScreen(stage);
  const condition = conditionOf(camera, words, language, now());
  const at = cameras.findIndex((c) => c.id === camera.id);
  const turn = useCallback(
    (by: number) => show(cameras[(at + by + cameras.length) % cameras.length]?.id),
    [show, cameras, at],
  );
  useEvery(
    500,
    useCallback(() => setInfo(player.current?.info()), []),
  );
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      if (typing(e)) return;
      if (e.key === "f") toggle();
      else if (e.key === "i") setDetails((on) => !on);
      else if (e.key === "Escape" && !document.fullscreenElement) show(undefined);
      else if (e.key === "ArrowLeft" && cameras.length > 1) turn(-1);
      else if (e.key === "ArrowRight" && cameras.length > 1) turn(1);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [toggle, turn, show, cameras.length]);

  return (
    <div className="live">
      <header className="live-head">
        <div className="row single-name">
          <Button
            kind="quiet"
            icon="back"
            label={words.live.allCameras}
            onClick={() => show(undefined)}
          />
          <h1>{camera.name}</h1>
          <p className="glance" role="status">
            <Mark shape={condition.shape} tone={condition.tone} />
            {condition.text}
          </p>
        </div>
        <div className="row">
          {cameras.length > 1 && (
            <>
              <Button
                kind="quiet"
                icon="back"
                label={words.live.previousCamera}
                onClick={() => turn(-1)}
              />
              <Button
                kind="quiet"
                icon="next"
                label={words.live.nextCamera}
                onClick={() => turn(1)}
              />
            </>
          )}
          <LinkButton href={`/timeline?camera=${camera.id}`} go={navigate} icon="timeline">
            {words.live.inTimeline}
          </LinkButton>
          {info?.sound && (
            <Button
              kind="quiet"
              icon={muted ? "mute" : "sound"}
              label={muted ? words.live.soundOn : words.live.soundOff}
              aria-pressed={!muted}
              onClick={() => setMuted(!muted)}
            />
          )}
          <Button
            kind="quiet"
            icon="info"
            label={words.live.details}
            aria-pressed={details}
            onClick={() => setDetails(!details)}
          />
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
      <div className="live-stage single-stage" ref={stage}>
        <LiveVideo
          camera={camera.id}
          name={camera.name}
          muted={muted}
          refused={camera.state === "refused"}
          playerRef={player}
        />
        {details && info && <Details info={info} />}
      </div>
    </div>
  );
}

/** Which way the pictures come, and how late they are. */
function Details({ info }: { info: LiveInfo }) {
  const { words, language } = useWords();
  const number = (n: number, digits: number) =>
    n.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const rows: [string, string][] = [
    [words.live.way, window.ManagedMediaSource ? "WebSocket, MMS" : "WebSocket, MSE"],
    [words.live.codec, codecsOf(info.mime).map(codecName).join(", ") || "–"],
    [words.live.size, info.width > 0 ? `${info.width} × ${info.height}` : "–"],
    [words.live.behind, `${number(info.behind_s, 1)} s`],
    [words.live.speed, `${number(info.rate, 2)}×`],
    [words.live.dropped, number(info.dropped, 0)],
    [words.live.clock, info.wall_us === undefined ? "–" : clock(info.wall_us)],
  ];
  return (
    <dl className="details">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
