import type { Track } from "../api/types";
import { framesPerSecond } from "../lib/units";
import { useWords } from "../lib/words";

/** `1920 × 1080, 25 fps` or `48 kHz, 2`; empty if nothing is known. */
export function formatOf(track: Track, language: string): string {
  const parts: string[] = [];
  if (track.width && track.height) parts.push(`${track.width} × ${track.height}`);
  if (track.fps) parts.push(framesPerSecond(track.fps, language));
  if (track.sample_rate) {
    parts.push(`${(track.sample_rate / 1000).toLocaleString(language)}\u00a0kHz`);
  }
  return parts.join(", ");
}

/** What a camera sends. */
export function Tracks({ tracks }: { tracks: Track[] }) {
  const { words, language } = useWords();
  const { cameras } = words;
  if (tracks.length === 0) return <p className="soft">{cameras.noTracks}</p>;
  return (
    <table>
      <caption className="hidden-text">{cameras.tracks}</caption>
      <thead>
        <tr>
          <th scope="col">{cameras.track}</th>
          <th scope="col">{cameras.codec}</th>
          <th scope="col">{cameras.format}</th>
        </tr>
      </thead>
      <tbody>
        {tracks.map((track) => (
          <tr key={track.id}>
            <td>{cameras.kind[track.kind]}</td>
            <td>{track.codec}</td>
            <td>{formatOf(track, language) || "–"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
