// Reads the block code of khien's test pattern (docs/ref/pattern.md) from a picture: which camera
// took it, which number it has, and when it was taken.

/**
 * The code in a picture, or null. Everything it needs is inside of it: it also runs in pages.
 * @param {ArrayLike<number>} luma one byte a pixel, row by row
 * @returns {{camera: number, frame: number, wall_ms: number} | null}
 */
export function readCode(luma, width, height) {
  const [columns, rows, left, wide, sync, data] = [40, 24, 2, 36, 18, 19];
  if (width / columns < 3 || height / rows < 3) return null;
  // The middle of a cell: three tenths in from either side.
  const middle = (n, size, count) => [
    Math.floor(((10 * n + 3) * size) / (10 * count)),
    Math.ceil(((10 * n + 7) * size) / (10 * count)),
  ];
  const mean = (column, row) => {
    const [x0, x1] = middle(column, width, columns);
    const [y0, y1] = middle(row, height, rows);
    let sum = 0;
    for (let y = y0; y < y1; y += 1) for (let x = x0; x < x1; x += 1) sum += luma[y * width + x];
    return sum / ((x1 - x0) * (y1 - y0));
  };
  const crc32 = (bytes) => {
    let sum = 0xffff_ffff;
    for (const byte of bytes) {
      sum ^= byte;
      for (let i = 0; i < 8; i += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb8_8320 : sum >>> 1;
    }
    return ~sum >>> 0;
  };
  let [white, black] = [0, 0];
  for (let i = 0; i < wide; i += 1) {
    const value = mean(left + i, sync);
    if (i % 2 === 0) white += value / (wide / 2);
    else black += value / (wide / 2);
  }
  if (white < black + 40) return null;
  const threshold = (white + black) / 2;
  for (let i = 0; i < wide; i += 1) {
    if (mean(left + i, sync) > threshold !== (i % 2 === 0)) return null;
  }
  const bytes = new Uint8Array(18);
  for (let i = 0; i < 144; i += 1) {
    if (mean(left + (i % wide), data + Math.floor(i / wide)) > threshold) {
      bytes[i >> 3] |= 0x80 >> (i & 7);
    }
  }
  const view = new DataView(bytes.buffer);
  if (crc32(bytes.subarray(0, 14)) !== view.getUint32(14)) return null;
  return {
    camera: view.getUint32(0),
    frame: view.getUint32(4),
    wall_ms: view.getUint16(8) * 2 ** 32 + view.getUint32(10),
  };
}

/** What a page is given to read its own videos: `khienCode("css selector", nth)`. */
export const IN_PAGE = `
  (() => {
    const readCode = ${readCode.toString()};
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d", { willReadFrequently: true });
    globalThis.khienCode = (selector, nth = 0) => {
      const video = document.querySelectorAll(selector)[nth];
      if (!video || video.readyState < 2 || video.videoWidth === 0) return null;
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      context.drawImage(video, 0, 0);
      const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
      const luma = new Uint8Array(width * height);
      for (let i = 0; i < luma.length; i += 1) {
        luma[i] = 0.2126 * data[4 * i] + 0.7152 * data[4 * i + 1] + 0.0722 * data[4 * i + 2];
      }
      return readCode(luma, width, height);
    };
  })();
`;
