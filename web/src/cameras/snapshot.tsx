import { useEffect, useState } from "react";
import { snapshotUrl } from "../api/calls";
import type { Camera } from "../api/types";
import { useWords } from "../lib/words";
import { Icon } from "../ui/icon";

const EVERY_MS = 20_000;

/** The newest picture of a camera that sends some; a new one now and then. */
export function Snapshot({ camera }: { camera: Camera }) {
  const { words } = useWords();
  const seen = camera.state === "recording" || camera.state === "live";
  const [shown, setShown] = useState<string>();
  useEffect(() => {
    if (!seen) return;
    let image: HTMLImageElement | undefined;
    const load = () => {
      if (document.hidden) return;
      // Loaded aside, so that the picture on the screen never goes blank.
      const next = new Image();
      next.onload = () => setShown(next.src);
      next.src = snapshotUrl(camera.id, Date.now());
      image = next;
    };
    load();
    const timer = setInterval(load, EVERY_MS);
    return () => {
      clearInterval(timer);
      if (image) image.onload = null;
    };
  }, [camera.id, seen]);
  return (
    <div className="snapshot">
      {shown && seen ? (
        <img src={shown} alt={words.cameras.picture(camera.name)} />
      ) : (
        <Icon name="camera" size={32} />
      )}
    </div>
  );
}
