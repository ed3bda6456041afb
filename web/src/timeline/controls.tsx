import { useState } from "react";
import { clock, dayName, MINUTE, type Us, zoneName } from "../lib/time";
import { useWords } from "../lib/words";
import { Button } from "../ui/button";
import { Choice } from "../ui/field";
import { FRAME_S, JUMP } from "./keys";

const RATES = ["0.5", "1", "2", "4", "8"] as const;

interface Props {
  at: Us | undefined;
  playing: boolean;
  ready: boolean;
  togglePlay: () => void;
  move: (by: Us) => void;
  step: (seconds: number) => void;
  rate: string;
  setRate: (rate: string) => void;
  muted: boolean;
  setMuted: (muted: boolean) => void;
  sound: boolean;
  full: boolean;
  toggleFull: (() => void) | undefined;
  goTime: (text: string) => void;
  cutting: boolean;
  cut: () => void;
}

/** What moves the picture, and which instant it shows. */
export function Controls(props: Props) {
  const { words, language } = useWords();
  const { timeline } = words;
  const { at, playing, ready } = props;
  const jump = (icon: "back10" | "on10", label: string, by: Us) => (
    <Button
      kind="quiet"
      icon={icon}
      label={label}
      disabled={!ready}
      onClick={(e) => props.move(e.shiftKey ? Math.sign(by) * MINUTE : by)}
    />
  );
  return (
    <div className="controls">
      <div className="row controls-play">
        {jump("back10", timeline.back10, -JUMP)}
        <Button
          kind="main"
          icon={playing ? "pause" : "play"}
          label={playing ? timeline.pause : timeline.play}
          disabled={!ready}
          onClick={props.togglePlay}
        />
        {jump("on10", timeline.on10, JUMP)}
        <Button
          kind="quiet"
          icon="frameBack"
          label={timeline.frameBack}
          disabled={!ready}
          onClick={() => props.step(-FRAME_S)}
        />
        <Button
          kind="quiet"
          icon="frameOn"
          label={timeline.frameOn}
          disabled={!ready}
          onClick={() => props.step(FRAME_S)}
        />
      </div>
      <div className="controls-clock">
        <ClockField at={at} label={timeline.goTime} go={props.goTime} />
        <span className="soft">
          {at === undefined ? "" : `${dayName(at, language)} · ${zoneName(at, language)}`}
        </span>
      </div>
      <div className="row controls-more">
        <Choice
          label={timeline.speed}
          hideLabel
          options={RATES.map((r) => ({ id: r, name: `${r === "0.5" ? "½" : r}×` }))}
          value={props.rate}
          onChoose={props.setRate}
        />
        {props.sound && (
          <Button
            kind="quiet"
            icon={props.muted ? "mute" : "sound"}
            label={props.muted ? words.live.soundOn : words.live.soundOff}
            aria-pressed={!props.muted}
            onClick={() => props.setMuted(!props.muted)}
          />
        )}
        {props.toggleFull && (
          <Button
            kind="quiet"
            icon={props.full ? "shrink" : "full"}
            label={props.full ? words.live.leaveFull : words.live.full}
            onClick={props.toggleFull}
          />
        )}
        <Button icon="download" aria-expanded={props.cutting} disabled={!ready} onClick={props.cut}>
          {timeline.export}
        </Button>
      </div>
    </div>
  );
}

/** The instant on the screen; another one typed into it is gone to. */
function ClockField({
  at,
  label,
  go,
}: {
  at: Us | undefined;
  label: string;
  go: (text: string) => void;
}) {
  const [typed, setTyped] = useState<string>();
  return (
    <input
      className="clock-field"
      aria-label={label}
      title={label}
      inputMode="numeric"
      autoComplete="off"
      spellCheck={false}
      maxLength={8}
      value={typed ?? (at === undefined ? "–" : clock(at))}
      disabled={at === undefined}
      onFocus={(e) => {
        setTyped(e.target.value);
        e.target.select();
      }}
      onChange={(e) => setTyped(e.target.value)}
      onBlur={() => setTyped(undefined)}
      onKeyDown={(e) => {
        if (e.key === "Escape") e.currentTarget.blur();
        if (e.key !== "Enter" || typed === undefined) return;
        go(typed);
        e.currentTarget.blur();
      }}
    />
  );
}
