import { useState } from "react";
import { exportUrl } from "../api/calls";
import type { Camera, Timeline } from "../api/types";
import { atClock, clock, duration, readClock, SECOND, type Span, type Us } from "../lib/time";
import { bytes } from "../lib/units";
import { useWords } from "../lib/words";
import { Button, LinkButton } from "../ui/button";
import { Field } from "../ui/field";
import { recordedIn } from "./view";

/** A piece of the day as a file. */
export function Export({
  camera,
  line,
  day,
  at,
  piece,
  setPiece,
  close,
}: {
  camera: Camera;
  line: Timeline;
  day: string;
  at: Us | undefined;
  piece: Span;
  setPiece: (piece: Span) => void;
  close: () => void;
}) {
  const { words, language } = useWords();
  const { timeline } = words;
  const length = piece.to - piece.from;
  const recorded = length > 0 ? recordedIn(line, piece) : 0;
  const missing = length - recorded;
  const wrong =
    length <= 0 ? timeline.exportInvalid : recorded === 0 ? timeline.exportNothing : undefined;
  const size = (recorded / SECOND) * camera.bytes_per_s;
  return (
    <section className="card export" aria-label={timeline.exportTitle}>
      <div className="row export-head">
        <h2>{timeline.exportTitle}</h2>
        <Button kind="quiet" icon="close" label={words.common.close} onClick={close} />
      </div>
      <div className="export-ends">
        <Moment
          label={timeline.from}
          us={piece.from}
          day={day}
          set={(from) => setPiece({ ...piece, from })}
        />
        <Button
          disabled={at === undefined}
          onClick={() => at !== undefined && setPiece({ ...piece, from: at })}
        >
          {timeline.setIn}
        </Button>
        <Moment
          label={timeline.to}
          us={piece.to}
          day={day}
          set={(to) => setPiece({ ...piece, to })}
        />
        <Button
          disabled={at === undefined}
          onClick={() => at !== undefined && setPiece({ ...piece, to: at })}
        >
          {timeline.setOut}
        </Button>
      </div>
      <div className="row export-go">
        {wrong ? (
          <p className="field-error" role="alert">
            {wrong}
          </p>
        ) : (
          <>
            <LinkButton
              kind="main"
              icon="download"
              href={exportUrl(camera.id, piece.from, piece.to)}
              download
            >
              {timeline.exportSpan(duration(recorded, language))}
            </LinkButton>
            <p className="soft">
              {timeline.exportHint}
              {size > 0 && ` ${timeline.exportSize(bytes(size, language))}`}
            </p>
          </>
        )}
      </div>
      {!wrong && missing > SECOND && (
        <p className="export-missing">{timeline.exportMissing(duration(missing, language))}</p>
      )}
    </section>
  );
}

/** A clock of the day that can be typed; what is no clock changes nothing. */
function Moment({
  label,
  us,
  day,
  set,
}: {
  label: string;
  us: Us;
  day: string;
  set: (us: Us) => void;
}) {
  const [typed, setTyped] = useState<string>();
  const leave = () => {
    const to = typed === undefined ? undefined : atClock(day, readClock(typed));
    if (to !== undefined && typed !== clock(us)) set(to);
    setTyped(undefined);
  };
  return (
    <Field
      label={label}
      inputMode="numeric"
      autoComplete="off"
      maxLength={8}
      value={typed ?? clock(us)}
      onText={setTyped}
      onBlur={leave}
      onKeyDown={(e) => {
        if (e.key === "Enter") leave();
      }}
    />
  );
}
