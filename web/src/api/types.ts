// What the server says and hears. `gen.ts` is made from its OpenAPI description (npm run gen); here
// its types get short names, and the two things that the description cannot say are said.
import type { components } from "./gen";

type Schemas = components["schemas"];

/** Answers carry every field: what is not known is null, never missing. */
type Answer<T> = T extends object ? { [K in keyof T]-?: Answer<Exclude<T[K], undefined>> } : T;

/** In requests, fields that have a default may be left out. */
type Request<T, Needed extends keyof T> = Pick<T, Needed> & Partial<T>;

export type Language = "en" | "vi";
export type Role = Schemas["Role"];
export type Transport = Schemas["Transport"];

export type Me = Answer<Schemas["Me"]>;
export type User = Answer<Schemas["UserView"]>;
export type Status = Answer<Schemas["StatusView"]>;

export type Camera = Answer<Schemas["CameraView"]>;
export type CameraState = Schemas["StateView"];
export type Track = Answer<Schemas["TrackView"]>;
export type Quirk = Answer<Schemas["QuirkView"]>;
export type Certificate = Answer<Schemas["CertificateView"]>;
export type Probe = Answer<Schemas["ProbeView"]>;

export type ProbeRequest = Request<Schemas["ProbeAsk"], "url">;
export type NewCamera = Request<Schemas["CameraNew"], "name" | "url">;
export type CameraChange = Partial<Schemas["CameraEdit"]>;

/** Times of these three are microseconds since 1970 UTC. */
export type Timeline = Answer<Schemas["TimelineView"]>;
export type Fragment = Answer<Schemas["FragmentView"]>;
export type FragmentPage = Answer<Schemas["FragmentsView"]>;

/** A refusal. Those of the page itself (no network, no JSON) have no title and no type. */
export type Problem = Pick<Schemas["Problem"], "status" | "code" | "detail"> &
  Partial<Schemas["Problem"]>;
