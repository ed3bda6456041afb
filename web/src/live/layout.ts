// How many columns show the largest pictures.

export interface Layout {
  columns: number;
  width: number;
  height: number;
}

const ASPECT = 16 / 9;

/** Size of one tile for `count` tiles in a box, with `gap` between them. */
export function layout(count: number, width: number, height: number, gap: number): Layout {
  let best: Layout = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const rows = Math.ceil(count / columns);
    const wide = (width - gap * (columns - 1)) / columns;
    const high = (height - gap * (rows - 1)) / rows;
    const w = Math.max(0, Math.floor(Math.min(wide, high * ASPECT)));
    if (w > best.width) best = { columns, width: w, height: Math.floor(w / ASPECT) };
  }
  return best;
}

export const GRIDS = [1, 4, 9, 16] as const;
export type Grid = (typeof GRIDS)[number];

/** The grid of an address (`?grid=9`), else the smallest that shows all cameras. */
export function gridOf(text: string | null, cameras: number): Grid {
  const asked = GRIDS.find((g) => String(g) === text);
  return asked ?? GRIDS.find((g) => g >= cameras) ?? 16;
}

/** The tile that an arrow key leads to; the same one at the edge. */
export function step(key: string, at: number, count: number, columns: number): number | undefined {
  const moves: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    Home: -at,
    End: count - 1 - at,
  };
  const move = moves[key];
  if (move === undefined) return undefined;
  const to = at + move;
  return to >= 0 && to < count ? to : at;
}
