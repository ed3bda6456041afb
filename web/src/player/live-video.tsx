// The one thin element around the live player: a picture, or the reason why there is none.
import { type RefObject, useEffect, useRef, useState } from "react";
import { snapshotUrl } from "../api/calls";
import { useWords, type Words } from "../lib/words";
import { Button } from "../ui/button";
import { LivePlayer, type LiveState } from "./live-player";
import "./player.css";

/** A tab in the background keeps pulling for so long: looking elsewhere for a moment costs nothing. */
const HIDDEN_GRACE_MS = 3000;
const STILL_EVERY_MS = 4000;

interface Props {
  camera: string;
  name: string;
  muted?: boolean;
  /** The camera answers and says no. */
  refused?: boolean;
  /** For pages that show the player's figures. */
  playerRef?: RefObject<LivePlayer | null>;
}

export function LiveVideo({ camera, name, muted = true, refused = false, playerRef }: Props) {
  const { words } = useWords();
  const box = useRef<HTMLDivElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<LiveState>({ kind: "connecting" });
  const [shown, setShown] = useState(false);

  useEffect(() => {
    const [element, around] = [video.current, box.current];
    if (!element || !around) return;
    const player = new LivePlayer(element, camera, (next) => {
      setState(next);
      if (next.kind === "playing") setShown(true);
    });
    if (playerRef) playerRef.current = player;
    const stop = pullWhileSeen(around, player);
    return () => {
      stop();
      player.destroy();
      if (playerRef) playerRef.current = null;
    };
  }, [camera, playerRef]);

  useEffect(() => {
    if (video.current) video.current.muted = muted;
  }, [muted]);

  const message = messageOf(state, shown, refused, words);
  return (
    <div className="picture" ref={box} data-state={state.kind}>
      <video ref={video} muted playsInline autoPlay aria-label={name} />
      {state.kind === "unsupported" && <Still camera={camera} name={name} />}
      {message && (
        <div className="picture-message" data-over={shown || state.kind === "unsupported"}>
          {state.kind === "connecting" && <div className="wait" />}
          <p role="status">{message}</p>
          {state.kind === "blocked" && (
            <Button
              icon="play"
              kind="main"
              onClick={(e) => {
                e.stopPropagation();
                void video.current?.play();
              }}
            >
              {words.live.play}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

/** Pulls while the picture is on the screen of a tab that somebody may look at. */
function pullWhileSeen(around: Element, player: LivePlayer): () => void {
  let seen = true;
  let grace: ReturnType<typeof setTimeout> | undefined;
  const decide = () => {
    clearTimeout(grace);
    if (seen && !document.hidden) player.start();
    else if (!seen) player.pause();
    else grace = setTimeout(() => player.pause(), HIDDEN_GRACE_MS);
  };
  const watcher = new IntersectionObserver((entries) => {
    seen = entries.at(-1)?.isIntersecting ?? true;
    decide();
  });
  watcher.observe(around);
  document.addEventListener("visibilitychange", decide);
  decide();
  return () => {
    clearTimeout(grace);
    watcher.disconnect();
    document.removeEventListener("visibilitychange", decide);
  };
}

function messageOf(
  state: LiveState,
  shown: boolean,
  refused: boolean,
  words: Words,
): string | undefined {
  switch (state.kind) {
    case "playing":
    case "paused":
      return undefined;
    case "connecting":
      return shown ? undefined : words.live.connecting;
    case "waiting":
      if (state.why === "network") return words.live.network;
      return refused ? words.live.refused : words.live.offline;
    case "blocked":
      return "";
    case "unsupported":
      return `${words.live.unsupported(state.codecs.join(", "))} ${words.live.stills}`;
    case "gone":
      return words.live.gone;
  }
}

/** A picture every few seconds where the browser cannot play the video. */
function Still({ camera, name }: { camera: string; name: string }) {
  const [stamp, setStamp] = useState(() => Date.now());
  const [loaded, setLoaded] = useState<string>();
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setStamp(Date.now());
    }, STILL_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const next = snapshotUrl(camera, stamp);
  useEffect(() => {
    // Loaded aside, so that the picture on the screen never goes blank.
    const image = new Image();
    image.onload = () => setLoaded(next);
    image.src = next;
    return () => {
      image.onload = null;
    };
  }, [next]);
  return loaded ? <img className="picture-still" src={loaded} alt={name} /> : null;
}
