import { useEffect, useState } from "react";
import { removeCamera, cameras as resource, timelineOnce } from "../api/calls";
import type { Camera, Problem } from "../api/types";
import { duration, now } from "../lib/time";
import { navigate } from "../lib/url";
import { explain, momentOf, useWords } from "../lib/words";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Notice } from "../ui/notice";

/** Names in numbers what is lost before it is lost. */
export function Remove({ camera, close }: { camera: Camera; close: () => void }) {
  const { words, language } = useWords();
  const [recorded, setRecorded] = useState<number>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const { recorded_from: from } = camera;
  useEffect(() => {
    if (!from) return;
    const stop = new AbortController();
    timelineOnce(camera.id, Date.parse(from) * 1000, now(), stop.signal).then((result) => {
      if (result.kind !== "ok") return;
      setRecorded(result.value.spans.reduce((sum, s) => sum + s.to_us - s.from_us, 0));
    });
    return () => stop.abort();
  }, [camera.id, from]);
  const loss = !from
    ? words.cameras.removeNothing
    : recorded === undefined
      ? words.cameras.removeUnknown
      : words.cameras.removeLoss(duration(recorded, language), momentOf(from, language));
  const remove = async () => {
    setBusy(true);
    const result = await removeCamera(camera.id);
    if (result.kind === "failed") {
      setBusy(false);
      return setProblem(result.problem);
    }
    navigate("/cameras", "replace");
    void resource.refresh();
  };
  return (
    <Dialog title={words.cameras.removeTitle(camera.name)} onClose={close}>
      <p>{loss}</p>
      {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
      <div className="row" data-end>
        <Button kind="quiet" onClick={close}>
          {words.common.cancel}
        </Button>
        <Button kind="danger" disabled={busy} onClick={() => void remove()}>
          {words.cameras.removeAsk}
        </Button>
      </div>
    </Dialog>
  );
}
