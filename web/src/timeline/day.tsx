import { useId } from "react";
import { dayOf, shiftDay } from "../lib/time";
import { useWords } from "../lib/words";
import { Button } from "../ui/button";

/** Which day. */
export function DayChoice({
  day,
  today,
  first,
  go,
}: {
  day: string;
  today: string;
  /** When the oldest recording begins. */
  first: string | null;
  go: (day: string) => void;
}) {
  const { words } = useWords();
  const id = useId();
  const oldest = first ? dayOf(Date.parse(first) * 1000) : undefined;
  return (
    <div className="row day-choice">
      <Button
        kind="quiet"
        icon="back"
        label={words.timeline.previousDay}
        disabled={oldest !== undefined && day <= oldest}
        onClick={() => go(shiftDay(day, -1))}
      />
      <label className="hidden-text" htmlFor={`${id}-day`}>
        {words.timeline.day}
      </label>
      <input
        id={`${id}-day`}
        className="input"
        type="date"
        value={day}
        max={today}
        onChange={(e) => e.target.value && go(e.target.value)}
      />
      <Button
        kind="quiet"
        icon="next"
        label={words.timeline.nextDay}
        disabled={day >= today}
        onClick={() => go(shiftDay(day, 1))}
      />
      {day !== today && (
        <Button kind="quiet" onClick={() => go(today)}>
          {words.timeline.today}
        </Button>
      )}
    </div>
  );
}
