import { useState } from "react";
import { conditionOf } from "../api/condition";
import type { Camera } from "../api/types";
import { now } from "../lib/time";
import { bitrate, bytes } from "../lib/units";
import { navigate } from "../lib/url";
import { explain, momentOf, useWords, type Words } from "../lib/words";
import { LiveVideo } from "../player/live-video";
import { Button, LinkButton } from "../ui/button";
import { Mark } from "../ui/icon";
import { Notice } from "../ui/notice";
import { Changed } from "./changed";
import { Edit } from "./edit";
import { Fingerprint } from "./fingerprint";
import { QuirkList } from "./quirk-list";
import { Remove } from "./remove";
import { Tracks } from "./tracks";

/** One camera: its picture, how it is, what it sends, what it does differently. */
export function Detail({ camera, owner }: { camera: Camera; owner: boolean }) {
  const { words, language } = useWords();
  const [editing, setEditing] = useState(false);
  const [removing, setRemoving] = useState(false);
  const condition = conditionOf(camera, words, language, now());
  const seen = camera.state === "recording" || camera.state === "live";
  const changed = camera.detail?.code === "camera-certificate";
  const where = encodeURIComponent(camera.id);
  return (
    <div className="page">
      <header className="page-head">
        <div className="row camera-title">
          <LinkButton
            kind="quiet"
            icon="back"
            label={words.cameras.title}
            href="/cameras"
            go={navigate}
          />
          <h1>{camera.name}</h1>
          <p className="camera-state" data-tone={condition.tone} role="status">
            <Mark shape={condition.shape} tone={condition.tone} />
            <span>{condition.text}</span>
          </p>
        </div>
        <div className="row">
          <LinkButton href={`/?camera=${where}`} go={navigate} icon="live">
            {words.cameras.watch}
          </LinkButton>
          <LinkButton href={`/timeline?camera=${where}`} go={navigate} icon="timeline">
            {words.cameras.recordings}
          </LinkButton>
        </div>
      </header>
      {camera.detail && !changed && !seen && (
        <Notice kind="loss">{explain(words, camera.detail)}</Notice>
      )}
      {changed && <Changed camera={camera} owner={owner} />}
      <div className="detail">
        <div className="detail-main">
          <div className="detail-picture">
            {camera.enabled ? (
              <LiveVideo
                camera={camera.id}
                name={camera.name}
                refused={camera.state === "refused"}
              />
            ) : (
              <div className="picture">
                <div className="picture-message">{words.live.disabled}</div>
              </div>
            )}
          </div>
          <section className="card">
            <h2>{words.cameras.quirks}</h2>
            <p className="soft section-hint">{words.cameras.quirksHint}</p>
            <QuirkList quirks={camera.quirks} />
          </section>
        </div>
        <div className="detail-side">
          <section className="card">
            <h2>{words.cameras.tracks}</h2>
            <Tracks tracks={camera.tracks} />
          </section>
          <section className="card">
            <dl className="facts">
              {factsOf(camera, words, language).map(([name, value]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
              {camera.certificate && (
                <div>
                  <dt>{words.cameras.trusted}</dt>
                  <dd>
                    <Fingerprint sha256={camera.certificate} />
                  </dd>
                </div>
              )}
            </dl>
            {owner && (
              <div className="row detail-acts">
                <Button onClick={() => setEditing(true)}>{words.cameras.edit}</Button>
                <Button kind="quiet" onClick={() => setRemoving(true)}>
                  {words.cameras.removeAsk}
                </Button>
              </div>
            )}
          </section>
        </div>
      </div>
      {editing && <Edit camera={camera} close={() => setEditing(false)} />}
      {removing && <Remove camera={camera} close={() => setRemoving(false)} />}
    </div>
  );
}

function factsOf(camera: Camera, words: Words, language: string): [string, string][] {
  const { cameras, add } = words;
  const facts: [string, string][] = [
    [cameras.rate, camera.bytes_per_s > 0 ? bitrate(camera.bytes_per_s, language) : "–"],
    [
      cameras.recorded,
      camera.recorded_from ? momentOf(camera.recorded_from, language) : cameras.notRecorded,
    ],
  ];
  if (camera.retention) facts.push([cameras.keep, keptFor(camera.retention, words, language)]);
  if (camera.since) facts.push([cameras.since, momentOf(camera.since, language)]);
  facts.push([cameras.address, camera.url]);
  if (camera.user !== null) facts.push([add.user, camera.user]);
  facts.push([add.transport, camera.transport.toUpperCase()]);
  return facts;
}

function keptFor(
  { max_days, max_bytes }: NonNullable<Camera["retention"]>,
  words: Words,
  language: string,
): string {
  const parts: string[] = [];
  if (max_days !== null) parts.push(words.cameras.days(max_days));
  if (max_bytes !== null) parts.push(bytes(max_bytes, language));
  return parts.length > 0 ? parts.join(", ") : words.cameras.keepSystem;
}
