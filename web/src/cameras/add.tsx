import { type FormEvent, useEffect, useRef, useState } from "react";
import { addCamera, probe, cameras as resource } from "../api/calls";
import type { Probe, Problem } from "../api/types";
import { navigate } from "../lib/url";
import { explain, useWords } from "../lib/words";
import { Button, LinkButton } from "../ui/button";
import { Field } from "../ui/field";
import { Notice } from "../ui/notice";
import { NOTHING, partOf, probeRequest, type Typed } from "./address";
import { AddressFields } from "./address-fields";
import { Found } from "./found";

type Test =
  | { kind: "none" }
  | { kind: "asking" }
  | { kind: "failed"; problem: Problem }
  | { kind: "found"; probe: Probe };

/** Address, test, look, name, save: nothing is kept before the last. */
export function Add() {
  const { words } = useWords();
  const [typed, setTyped] = useState<Typed>(NOTHING);
  const [test, setTest] = useState<Test>({ kind: "none" });
  const [accepted, setAccepted] = useState<string>();
  const [name, setName] = useState("");
  const [saving, setSaving] = useState(false);
  const [refused, setRefused] = useState<Problem>();
  const request = useRef<AbortController>(undefined);
  const result = useRef<HTMLDivElement>(null);
  useEffect(() => () => request.current?.abort(), []);

  const change = (next: Partial<Typed>) => {
    request.current?.abort();
    setTyped({ ...typed, ...next });
    setTest({ kind: "none" });
    setAccepted(undefined);
    setRefused(undefined);
  };
  const ask = async (e: FormEvent) => {
    e.preventDefault();
    request.current?.abort();
    const asking = new AbortController();
    request.current = asking;
    setTest({ kind: "asking" });
    const answer = await probe(probeRequest(typed, accepted), asking.signal);
    if (asking.signal.aborted) return;
    if (answer.kind === "ok") setTest({ kind: "found", probe: answer.value });
    else if (answer.kind === "failed") setTest({ kind: "failed", problem: answer.problem });
    requestAnimationFrame(() => result.current?.scrollIntoView({ block: "nearest" }));
  };
  const stop = () => {
    request.current?.abort();
    setTest({ kind: "none" });
  };
  const certificate = test.kind === "found" ? test.probe.certificate : null;
  const trusted = !certificate || certificate.pinned || accepted === certificate.sha256;
  const save = async (e: FormEvent) => {
    e.preventDefault();
    setSaving(true);
    const sha256 = certificate?.sha256;
    const answer = await addCamera({ ...probeRequest(typed, sha256), name: name.trim() });
    setSaving(false);
    if (answer.kind === "failed") return setRefused(answer.problem);
    if (answer.kind !== "ok") return;
    await resource.refresh();
    navigate(`/cameras/${encodeURIComponent(answer.value.id)}`, "replace");
  };
  const problem = test.kind === "failed" ? test.problem : undefined;

  return (
    <div className="page page-narrow">
      <header className="page-head">
        <div className="row">
          <LinkButton
            kind="quiet"
            icon="back"
            label={words.cameras.title}
            href="/cameras"
            go={navigate}
          />
          <h1>{words.add.title}</h1>
        </div>
      </header>
      <form className="card form" onSubmit={ask}>
        <AddressFields typed={typed} change={change} wrong={partOf(problem)} first />
        <div className="row">
          <Button
            kind={test.kind === "found" ? "plain" : "main"}
            type="submit"
            disabled={test.kind === "asking" || typed.url.trim() === ""}
          >
            {test.kind === "asking" ? words.add.testing : words.add.test}
          </Button>
          {test.kind === "asking" ? (
            <Button kind="quiet" onClick={stop}>
              {words.common.cancel}
            </Button>
          ) : (
            <p className="soft add-hint">{words.add.testHint}</p>
          )}
        </div>
      </form>
      <div ref={result} aria-live="polite">
        {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
        {test.kind === "found" && (
          <Found probe={test.probe} accepted={accepted} accept={setAccepted} />
        )}
      </div>
      {test.kind === "found" && (
        <form className="card form" onSubmit={save}>
          {refused && <Notice kind="loss">{explain(words, refused)}</Notice>}
          <Field
            label={words.add.name}
            hint={words.add.nameHint}
            name="camera-name"
            autoComplete="off"
            maxLength={64}
            required
            value={name}
            onText={setName}
          />
          <div className="row">
            <Button kind="main" type="submit" disabled={saving || !trusted || name.trim() === ""}>
              {words.add.save}
            </Button>
            {!trusted && <p className="soft add-hint">{words.add.certFirst}</p>}
          </div>
        </form>
      )}
    </div>
  );
}
