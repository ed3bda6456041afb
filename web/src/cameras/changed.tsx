import { useState } from "react";
import { acceptCertificate, cameras as resource } from "../api/calls";
import type { Camera, Problem } from "../api/types";
import { explain, useWords } from "../lib/words";
import { Button } from "../ui/button";
import { Icon } from "../ui/icon";
import { Notice } from "../ui/notice";
import { shownFingerprint } from "./address";
import { Fingerprint } from "./fingerprint";

/** The camera shows another certificate than before: a person compares and decides. */
export function Changed({ camera, owner }: { camera: Camera; owner: boolean }) {
  const { words } = useWords();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const shown = shownFingerprint(camera);
  const accept = async () => {
    if (!shown) return;
    setBusy(true);
    const result = await acceptCertificate(camera.id, shown);
    setBusy(false);
    if (result.kind === "failed") setProblem(result.problem);
    else await resource.refresh();
  };
  return (
    <section className="card trust changed" role="alert">
      <h2>
        <Icon name="lock" />
        {words.cameras.changedCertificate}
      </h2>
      <p>{words.cameras.changedCertificateText}</p>
      <dl className="facts">
        {shown && (
          <div>
            <dt>{words.cameras.shownNow}</dt>
            <dd>
              <Fingerprint sha256={shown} />
            </dd>
          </div>
        )}
        {camera.certificate && (
          <div>
            <dt>{words.cameras.trusted}</dt>
            <dd>
              <Fingerprint sha256={camera.certificate} />
            </dd>
          </div>
        )}
      </dl>
      {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
      {owner && shown && (
        <div>
          <Button kind="danger" disabled={busy} onClick={() => void accept()}>
            {words.cameras.acceptCertificate}
          </Button>
        </div>
      )}
    </section>
  );
}
