import { expect, it } from "vitest";
import { parseMessage } from "./live";

it.each([
  [
    '{"t":"init","id":7,"mime":"video/mp4","w":640,"h":360}',
    { t: "init", id: 7, mime: "video/mp4", w: 640, h: 360 },
  ],
  ['{"t":"init","id":7,"mime":"video/mp4"}', { t: "init", id: 7, mime: "video/mp4" }],
  [
    '{"t":"wall","us":1795428000000000,"media_s":3.5}',
    { t: "wall", us: 1795428000000000, media_s: 3.5 },
  ],
  ['{"t":"drop","frames":12}', { t: "drop", frames: 12 }],
])("%s", (text, message) => {
  expect(parseMessage(text)).toEqual(message);
});

it.each([
  "",
  "x",
  "null",
  "[]",
  "{}",
  '{"t":"new"}',
  '{"t":"init"}',
  '{"t":"wall","us":1}',
  '{"t":"wall","us":"1","media_s":2}',
])("ignores %s", (text) => {
  expect(parseMessage(text)).toBeUndefined();
});
