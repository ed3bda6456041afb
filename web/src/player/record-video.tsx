// The one thin element around the record player: a picture of the past, or why there is none.
import { type RefObject, useEffect, useRef, useState } from "react";
import { explain, useWords, type Words } from "../lib/words";
import { RecordPlayer, type RecordState } from "./record-player";
import "./player.css";

interface Props {
  camera: string;
  name: string;
  muted: boolean;
  playerRef: RefObject<RecordPlayer | null>;
  onState: (state: RecordState) => void;
  /** A click on the picture. */
  onClick: () => void;
}

export function RecordVideo({ camera, name, muted, playerRef, onState, onClick }: Props) {
  const { words } = useWords();
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<RecordState>({ kind: "idle" });

  useEffect(() => {
    const element = video.current;
    if (!element) return;
    const player = new RecordPlayer(element, camera, (next) => {
      setState(next);
      onState(next);
    });
    playerRef.current = player;
    return () => {
      player.destroy();
      playerRef.current = null;
    };
  }, [camera, playerRef, onState]);

  useEffect(() => {
    if (video.current) video.current.muted = muted;
  }, [muted]);

  const message = messageOf(state, words);
  return (
    <div className="picture" data-state={state.kind}>
      <video ref={video} muted playsInline aria-label={name} onClick={onClick} />
      {state.kind === "loading" && (
        <div className="picture-wait">
          <div className="wait" />
        </div>
      )}
      {message && (
        <div
          className="picture-message"
          data-over={state.kind === "caught-up" || state.kind === "nothing"}
        >
          <p role="status">{message}</p>
        </div>
      )}
    </div>
  );
}

function messageOf(state: RecordState, words: Words): string | undefined {
  switch (state.kind) {
    case "loading":
    case "playing":
    case "paused":
    case "idle":
      return undefined;
    case "caught-up":
      return words.timeline.caughtUp;
    case "nothing":
      return words.timeline.nothing;
    case "unsupported":
      return `${words.live.unsupported(state.codecs.join(", "))} ${words.timeline.exportInstead}`;
    case "failed":
      return explain(words, state.problem);
  }
}
