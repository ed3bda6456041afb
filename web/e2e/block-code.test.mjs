import { crc32 } from "node:zlib";
import { expect, it } from "vitest";
import { readCode } from "./block-code.mjs";

/** The code painted by the words of docs/ref/pattern.md. */
function paint({ camera, frame, wall_ms }, width, height) {
  const bytes = new Uint8Array(18);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, camera);
  view.setUint32(4, frame);
  view.setUint16(8, Math.floor(wall_ms / 2 ** 32));
  view.setUint32(10, wall_ms % 2 ** 32);
  view.setUint32(14, crc32(bytes.subarray(0, 14)));
  const luma = new Uint8Array(width * height).fill(40);
  const cell = (column, row) => {
    for (let y = Math.floor((row * height) / 24); y < Math.floor(((row + 1) * height) / 24); y += 1)
      for (
        let x = Math.floor((column * width) / 40);
        x < Math.floor(((column + 1) * width) / 40);
        x += 1
      )
        luma[y * width + x] = 216;
  };
  for (let i = 0; i < 36; i += 2) cell(2 + i, 18);
  for (let i = 0; i < 144; i += 1) {
    if (bytes[i >> 3] & (0x80 >> (i & 7))) cell(2 + (i % 36), 19 + Math.floor(i / 36));
  }
  return luma;
}

const code = { camera: 0x8000_0001, frame: 4_000_000_000, wall_ms: 1_795_000_000_123 };

it.each([
  [640, 360],
  [320, 180],
  [1920, 1080],
  [123, 97],
])("reads the code of a picture of %i×%i", (width, height) => {
  expect(readCode(paint(code, width, height), width, height)).toEqual(code);
});

it("sees no code where there is none or where it is damaged", () => {
  expect(readCode(new Uint8Array(320 * 180).fill(128), 320, 180)).toBeNull();
  expect(readCode(new Uint8Array(10), 100, 50)).toBeNull();
  const damaged = paint(code, 320, 180);
  for (let y = 143; y < 150; y += 1) for (let x = 16; x < 24; x += 1) damaged[y * 320 + x] ^= 0xff;
  expect(readCode(damaged, 320, 180)).toBeNull();
});
