import { Fragment } from "react";

/** A SHA-256 as cameras' own pages show it; a line never ends inside of a byte. */
export function Fingerprint({ sha256 }: { sha256: string }) {
  const bytes = sha256.toUpperCase().match(/../g) ?? [];
  return (
    <span className="fingerprint">
      {bytes.map((byte, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: bytes have no other name
        <Fragment key={i}>
          {i > 0 && ":"}
          {i > 0 && i % 4 === 0 && <wbr />}
          {byte}
        </Fragment>
      ))}
    </span>
  );
}
