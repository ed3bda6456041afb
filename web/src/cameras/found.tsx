import type { Certificate, Probe } from "../api/types";
import { momentOf, useWords } from "../lib/words";
import { Check } from "../ui/field";
import { Icon } from "../ui/icon";
import { Fingerprint } from "./fingerprint";
import { QuirkList } from "./quirk-list";
import { Tracks } from "./tracks";

/** What a camera showed when it was tried. */
export function Found({
  probe,
  accepted,
  accept,
}: {
  probe: Probe;
  accepted: string | undefined;
  accept: (sha256: string | undefined) => void;
}) {
  const { words } = useWords();
  return (
    <section className="card found">
      <h2 className="found-title">
        <Icon name="check" />
        {words.add.works}
      </h2>
      <div className="found-parts">
        <div className="snapshot">
          {probe.preview ? (
            <img src={probe.preview} alt={words.add.preview} />
          ) : (
            <p className="soft">{words.add.noPreview}</p>
          )}
        </div>
        <div>
          <Tracks tracks={probe.tracks} />
          {probe.server && (
            <p className="soft found-server">
              {words.add.server}: {probe.server}
            </p>
          )}
        </div>
      </div>
      {probe.quirks.length > 0 && (
        <div>
          <h3>{words.cameras.quirks}</h3>
          <QuirkList quirks={probe.quirks} />
        </div>
      )}
      {probe.certificate && (
        <Trust
          certificate={probe.certificate}
          accepted={accepted === probe.certificate.sha256}
          accept={(on) => accept(on ? probe.certificate?.sha256 : undefined)}
        />
      )}
    </section>
  );
}

/** Nobody vouches for a camera's certificate but the person who compares it. */
function Trust({
  certificate,
  accepted,
  accept,
}: {
  certificate: Certificate;
  accepted: boolean;
  accept: (on: boolean) => void;
}) {
  const { words, language } = useWords();
  return (
    <div className="trust">
      <h3>
        <Icon name="lock" />
        {words.add.certTitle}
      </h3>
      <p>{certificate.pinned ? words.add.certPinned : words.add.certText}</p>
      <dl className="facts">
        <div>
          <dt>{words.cameras.fingerprintHint}</dt>
          <dd>
            <Fingerprint sha256={certificate.sha256} />
          </dd>
        </div>
        <div>
          <dt>{words.add.certSubject}</dt>
          <dd>{certificate.subject || "–"}</dd>
        </div>
        <div>
          <dt>{words.add.certUntil}</dt>
          <dd>{momentOf(certificate.not_after, language)}</dd>
        </div>
      </dl>
      {!certificate.pinned && (
        <Check label={words.add.certAccept} checked={accepted} onCheck={accept} />
      )}
    </div>
  );
}
