// The little of ISO BMFF that a player must know of a fragment before it appends it: when it is,
// and whether decoding can start with it.

export interface Peek {
  /** Id of the first track in it. */
  track: number;
  /** tfdt of the first track, in its own clock. */
  decodeTime: number;
  /** The first sample of the first track is a sync sample. */
  key: boolean;
}

const fourcc = (v: DataView, at: number): string =>
  String.fromCharCode(v.getUint8(at), v.getUint8(at + 1), v.getUint8(at + 2), v.getUint8(at + 3));

/** Start and end of the contents of the first box named `kind` in a range. */
function find(v: DataView, kind: string, from: number, to: number): [number, number] | undefined {
  let at = from;
  while (at + 8 <= to) {
    let size = v.getUint32(at);
    let head = 8;
    if (size === 1 && at + 16 <= to) {
      size = Number(v.getBigUint64(at + 8));
      head = 16;
    } else if (size === 0) size = to - at;
    if (size < head || at + size > to) return undefined;
    if (fourcc(v, at + 4) === kind) return [at + head, at + size];
    at += size;
  }
  return undefined;
}

const NOT_SYNC = 0x0001_0000;

/** What a fragment (moof + mdat) is; undefined if it cannot be understood. */
export function peek(bytes: ArrayBuffer): Peek | undefined {
  const v = new DataView(bytes);
  const moof = find(v, "moof", 0, v.byteLength);
  const traf = moof && find(v, "traf", ...moof);
  const tfhd = traf && find(v, "tfhd", ...traf);
  const tfdt = traf && find(v, "tfdt", ...traf);
  const trun = traf && find(v, "trun", ...traf);
  if (!tfhd || !tfdt || !trun) return undefined;
  if ([tfhd, tfdt, trun].some(([from, to]) => from + 8 > to)) return undefined;
  const long = v.getUint8(tfdt[0]) === 1;
  if (long && tfdt[0] + 12 > tfdt[1]) return undefined;
  const decodeTime = long ? Number(v.getBigUint64(tfdt[0] + 4)) : v.getUint32(tfdt[0] + 4);
  const flags = firstSampleFlags(v, trun) ?? defaultFlags(v, tfhd) ?? 0;
  return { track: v.getUint32(tfhd[0] + 4), decodeTime, key: (flags & NOT_SYNC) === 0 };
}

function firstSampleFlags(v: DataView, [from, to]: [number, number]): number | undefined {
  const has = v.getUint32(from) & 0xff_ffff;
  let at = from + 8 + (has & 1 ? 4 : 0);
  if (has & 4) return at + 4 <= to ? v.getUint32(at) : undefined;
  at += (has & 0x100 ? 4 : 0) + (has & 0x200 ? 4 : 0);
  return has & 0x400 && at + 4 <= to ? v.getUint32(at) : undefined;
}

function defaultFlags(v: DataView, [from, to]: [number, number]): number | undefined {
  const has = v.getUint32(from) & 0xff_ffff;
  if (!(has & 0x20)) return undefined;
  const skip = [1, 2, 8, 0x10].reduce((n, bit) => n + (has & bit ? (bit === 1 ? 8 : 4) : 0), 0);
  const at = from + 8 + skip;
  return at + 4 <= to ? v.getUint32(at) : undefined;
}
