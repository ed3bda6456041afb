// Line icons on a 24 grid, drawn for this app.

const PATHS = {
  live: "M4 6h11a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2Zm13 5 5-3v8l-5-3",
  timeline: "M3 12h18M6 8v8M12 5v14M18 9v6",
  camera:
    "M3 9a2 2 0 0 1 2-2h2l2-3h6l2 3h2a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2Zm9 8a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z",
  settings: "M4 7h9m4 0h3M4 17h3m4 0h9M15 4.5v5M9 14.5v5",
  add: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  full: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  shrink: "M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5",
  play: "M7 4.5v15l12-7.5Z",
  pause: "M8 5v14M16 5v14",
  back10: "M4 9a8.5 8.5 0 1 1-.5 5M4 4v5h5",
  on10: "M20 9a8.5 8.5 0 1 0 .5 5M20 4v5h-5",
  frameBack: "M17 5.5v13L8.5 12ZM6 5.5v13",
  frameOn: "M7 5.5v13l8.5-6.5ZM18 5.5v13",
  close: "M6 6l12 12M18 6 6 18",
  key: "M14.5 13.5a4.5 4.5 0 1 0-4-2.5L4 17.5V20h3v-2h2v-2h1.5l1-2.5M16 8.5v.1",
  zoomIn: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Zm5-1.5L21 21M10.5 8v5M8 10.5h5",
  zoomOut: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Zm5-1.5L21 21M8 10.5h5",
  download: "M12 4v11m-5-4.5 5 5 5-5M5 20h14",
  sound: "M4 9.5v5h3.5L12 19V5L7.5 9.5ZM16 9a4 4 0 0 1 0 6M18.5 6a8 8 0 0 1 0 12",
  mute: "M4 9.5v5h3.5L12 19V5L7.5 9.5ZM16 9.5l5 5M21 9.5l-5 5",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-10v6M12 7.5v.1",
  warning: "M12 4 2.5 20h19ZM12 10v4.5M12 17.2v.1",
  stop: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8.5 8.5l7 7M15.5 8.5l-7 7",
  check: "M5 12.5l4.5 4.5L19 7.5",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Zm9.5 3a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
  eyeOff:
    "M4 4l16 16M9.9 6A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-2.7 3.5M14 17.5a9 9 0 0 1-2 .3C6 17.8 2.5 12 2.5 12a17 17 0 0 1 3-3.7",
  lock: "M6 11h12v9H6ZM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  shield: "M12 3 4 6v6c0 5 3.5 7.8 8 9.5 4.5-1.7 8-4.5 8-9.5V6Z",
  out: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  calendar: "M4 6h16v14H4ZM4 10.5h16M8.5 3.5V7M15.5 3.5V7",
} as const;

export type IconName = keyof typeof PATHS;

/** A picture beside words: hidden from screen readers, which read the words. */
export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill={name === "play" ? "currentColor" : "none"}
      stroke="currentColor"
      strokeWidth={1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

export type MarkShape = "dot" | "ring" | "broken" | "dashes" | "triangle" | "lock" | "off";
export type Tone = "calm" | "watch" | "loss" | "soft";

/** A state as a shape; the colour only repeats it. */
export function Mark({ shape, tone }: { shape: MarkShape; tone: Tone }) {
  return (
    <svg
      className="mark"
      data-tone={tone}
      aria-hidden="true"
      viewBox="0 0 12 12"
      fill="none"
      stroke="currentColor"
      strokeWidth={2}
    >
      {drawing(shape)}
    </svg>
  );
}

function drawing(shape: MarkShape) {
  switch (shape) {
    case "dot":
      return <circle cx="6" cy="6" r="5" fill="currentColor" stroke="none" />;
    case "ring":
      return <circle cx="6" cy="6" r="4.500" />;
    case "broken":
      return <path d="M0 6h4M8 6h4M6 1v10" strokeWidth={2.5} />;
    case "dashes":
      return <circle cx="6" cy="6" r="4.500" strokeDasharray="3 2.650" />;
    case "triangle":
      return <path d="M6 1.500 11 10.500H1Z" strokeLinejoin="round" />;
    case "lock":
      return <path d="M2 6h8v5H2ZM4 6V3.500a2 2 0 0 1 4 0V6" strokeLinejoin="round" />;
    case "off":
      return <path d="M2 6h8" />;
  }
}

/** The shield with a lens: khien's sign. */
export function Sign({ size = 32 }: { size?: number }) {
  return <img src="/icon.svg" width={size} height={size} alt="" />;
}
