// The order of cameras on the wall is theirs everywhere: the server keeps it.
import { changeCamera, cameras as resource } from "../api/calls";
import type { Camera } from "../api/types";

/** The list with one camera moved to where another one is. */
export function moved(cameras: readonly Camera[], id: string, to: string): Camera[] {
  const from = cameras.findIndex((c) => c.id === id);
  const at = cameras.findIndex((c) => c.id === to);
  const one = cameras[from];
  if (!one || at < 0 || at === from) return [...cameras];
  const rest = cameras.filter((c) => c !== one);
  rest.splice(at, 0, one);
  return rest;
}

/** Positions that differ from what is kept. */
export function renumbered(cameras: readonly Camera[]): { id: string; position: number }[] {
  return cameras
    .map((c, position) => ({ id: c.id, position, before: c.position }))
    .filter((c) => c.position !== c.before)
    .map(({ id, position }) => ({ id, position }));
}

/** Shows the new order at once and tells the server; what it then says is shown. */
export async function reorder(cameras: readonly Camera[]): Promise<void> {
  const changes = renumbered(cameras);
  if (changes.length === 0) return;
  resource.set(cameras.map((c, position) => ({ ...c, position })));
  for (const { id, position } of changes) await changeCamera(id, { position });
  await resource.refresh();
}
