import { type FormEvent, useState } from "react";
import { changeCamera, cameras as resource } from "../api/calls";
import type { Camera, Problem } from "../api/types";
import { explain, useWords } from "../lib/words";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Check, Field } from "../ui/field";
import { Notice } from "../ui/notice";
import { changeOf, editedOf, partOf } from "./address";
import { AddressFields } from "./address-fields";

export function Edit({ camera, close }: { camera: Camera; close: () => void }) {
  const { words } = useWords();
  const [edited, setEdited] = useState(() => editedOf(camera));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const change = changeOf(camera, edited);
  const set = (next: Partial<typeof edited>) => {
    setEdited({ ...edited, ...next });
    setProblem(undefined);
  };
  const save = async (e: FormEvent) => {
    e.preventDefault();
    if (!change) return;
    if (Object.keys(change).length === 0) return close();
    setBusy(true);
    const result = await changeCamera(camera.id, change);
    setBusy(false);
    if (result.kind === "failed") return setProblem(result.problem);
    void resource.refresh();
    close();
  };
  return (
    <Dialog title={`${words.cameras.edit}: ${camera.name}`} onClose={close}>
      <form className="form" onSubmit={save}>
        {problem && <Notice kind="loss">{explain(words, problem)}</Notice>}
        <Field
          label={words.cameras.name}
          name="camera-name"
          autoComplete="off"
          maxLength={64}
          required
          value={edited.name}
          onText={(name) => set({ name })}
        />
        <AddressFields
          typed={edited}
          change={set}
          wrong={partOf(problem)}
          kept={camera.has_password}
        />
        <fieldset className="field">
          <legend className="field-label">{words.cameras.keep}</legend>
          <div className="pair">
            <Field
              label={words.cameras.keepDays}
              name="camera-days"
              inputMode="numeric"
              autoComplete="off"
              placeholder={words.cameras.keepSystem}
              value={edited.days}
              onText={(days) => set({ days })}
            />
            <Field
              label={words.cameras.keepGigabytes}
              name="camera-gigabytes"
              inputMode="decimal"
              autoComplete="off"
              placeholder={words.cameras.keepSystem}
              value={edited.gigabytes}
              onText={(gigabytes) => set({ gigabytes })}
            />
          </div>
          {!change && <p className="field-error">{words.cameras.keepWrong}</p>}
        </fieldset>
        <Check
          label={words.cameras.enabled}
          hint={words.cameras.enabledHint}
          checked={edited.enabled}
          onCheck={(enabled) => set({ enabled })}
        />
        <div className="row" data-end>
          <Button kind="quiet" onClick={close}>
            {words.common.cancel}
          </Button>
          <Button kind="main" type="submit" disabled={busy || !change || edited.name.trim() === ""}>
            {words.common.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
