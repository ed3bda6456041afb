import { conditionOf } from "../api/condition";
import type { Camera } from "../api/types";
import { now } from "../lib/time";
import { bitrate } from "../lib/units";
import { navigate } from "../lib/url";
import { explain, momentOf, useWords } from "../lib/words";
import { Link, LinkButton } from "../ui/button";
import { Icon, Mark } from "../ui/icon";
import { Empty } from "../ui/notice";
import { quirksOf } from "./quirks";
import { Snapshot } from "./snapshot";
import { formatOf } from "./tracks";

export function List({ cameras, owner }: { cameras: Camera[]; owner: boolean }) {
  const { words } = useWords();
  const add = owner && (
    <LinkButton href="/cameras/add" go={navigate} kind="main" icon="add">
      {words.cameras.add}
    </LinkButton>
  );
  if (cameras.length === 0) {
    return (
      <Empty
        icon="camera"
        title={words.cameras.emptyTitle}
        text={owner ? words.cameras.emptyText : words.live.emptyViewer}
      >
        {add}
      </Empty>
    );
  }
  return (
    <div className="page">
      <header className="page-head">
        <h1>{words.cameras.title}</h1>
        {add}
      </header>
      <ul className="camera-list">
        {cameras.map((camera) => (
          <li key={camera.id}>
            <Card camera={camera} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Card({ camera }: { camera: Camera }) {
  const { words, language } = useWords();
  const condition = conditionOf(camera, words, language, now());
  const video = camera.tracks.find((t) => t.kind === "video");
  const warnings = quirksOf(camera.quirks).filter((q) => q.level === "warning");
  const seen = camera.state === "recording" || camera.state === "live";
  const facts = [
    video && [video.codec, formatOf(video, language)].filter((t) => t !== "").join(" "),
    seen ? bitrate(camera.bytes_per_s, language) : undefined,
  ].filter((text) => text);
  return (
    <Link
      className="camera-card"
      href={`/cameras/${encodeURIComponent(camera.id)}`}
      go={navigate}
      aria-label={`${words.cameras.open(camera.name)}. ${condition.text}`}
    >
      <Snapshot camera={camera} />
      <div className="camera-card-text">
        <h2>{camera.name}</h2>
        <p className="camera-state" data-tone={condition.tone}>
          <Mark shape={condition.shape} tone={condition.tone} />
          <span>{condition.text}</span>
        </p>
        {camera.detail && camera.state !== "recording" && camera.state !== "live" && (
          <p className="soft">{explain(words, camera.detail)}</p>
        )}
        {facts.length > 0 && <p className="soft">{facts.join(" · ")}</p>}
        <p className="soft">
          {camera.recorded_from
            ? words.cameras.recordedFrom(momentOf(camera.recorded_from, language))
            : words.cameras.notRecorded}
        </p>
        {warnings.length > 0 && (
          <p className="camera-warning">
            <Icon name="warning" size={16} />
            <span>{words.cameras.warnings(warnings.length)}</span>
          </p>
        )}
      </div>
    </Link>
  );
}
