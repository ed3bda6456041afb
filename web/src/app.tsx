// Who is there, and which page they see.
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { cameras, me, setupNeeded, status, users } from "./api/calls";
import { onSignedOut } from "./api/client";
import type { Me } from "./api/types";
import { Boundary } from "./boundary";
import { innerPath, navigate, setupToken, useUrl } from "./lib/url";
import { useWords } from "./lib/words";
import { Nav } from "./nav";
import { Button, LinkButton } from "./ui/button";
import { Empty, Waiting } from "./ui/notice";

const LivePage = lazy(() => import("./live/page"));
const TimelinePage = lazy(() => import("./timeline/page"));
const CamerasPage = lazy(() => import("./cameras/page"));
const SettingsPage = lazy(() => import("./settings/page"));
const LoginPage = lazy(() => import("./login/login"));
const SetupPage = lazy(() => import("./login/setup"));

type Who =
  | { kind: "asking" }
  | { kind: "unreachable" }
  | { kind: "stranger"; setup: boolean }
  | { kind: "person"; me: Me };

export function App() {
  const { words, suggest } = useWords();
  const [who, setWho] = useState<Who>({ kind: "asking" });
  const url = useUrl();

  const ask = useCallback(async () => {
    const answer = await me();
    if (answer.kind === "ok") {
      suggest(answer.value.language);
      return setWho({ kind: "person", me: answer.value });
    }
    if (answer.kind === "failed" && answer.problem.status === 401) {
      const needed = await setupNeeded();
      if (needed.kind === "ok") return setWho({ kind: "stranger", setup: needed.value.needed });
    }
    setWho({ kind: "unreachable" });
  }, [suggest]);

  useEffect(() => {
    void ask();
  }, [ask]);
  useEffect(
    () =>
      onSignedOut(() =>
        setWho((now) => (now.kind === "person" ? { kind: "stranger", setup: false } : now)),
      ),
    [],
  );
  useEffect(() => {
    if (who.kind !== "stranger") return;
    for (const kept of [cameras, status, users]) kept.clear();
  }, [who.kind]);
  useEffect(() => {
    if (who.kind !== "unreachable") return;
    const timer = setTimeout(() => void ask(), 3000);
    return () => clearTimeout(timer);
  }, [who, ask]);

  const enter = useCallback(() => {
    navigate(innerPath(new URLSearchParams(window.location.search).get("next")), "replace");
    void ask();
  }, [ask]);

  switch (who.kind) {
    case "asking":
      return <Waiting label={words.common.loading} />;
    case "unreachable":
      return (
        <Empty icon="warning" title={words.failed.title} text={words.failed.connection}>
          <Button kind="main" onClick={() => void ask()}>
            {words.common.retry}
          </Button>
        </Empty>
      );
    case "stranger":
      return (
        <Suspense fallback={<Waiting label={words.common.loading} />}>
          {who.setup ? (
            <SetupPage token={setupToken(url)} enter={enter} />
          ) : (
            <LoginPage enter={enter} />
          )}
        </Suspense>
      );
    case "person":
      return (
        <House
          me={who.me}
          path={url.pathname}
          left={() => setWho({ kind: "stranger", setup: false })}
        />
      );
  }
}

function House({ me: person, path, left }: { me: Me; path: string; left: () => void }) {
  const { words } = useWords();
  // An old set-up or log-in link of somebody who is logged in leads home.
  const first = path.split("/")[1];
  const before = useRef(first);
  // Another page: what is read out and where Tab goes on is the page, not the link that led to it.
  useEffect(() => {
    if (before.current === first) return;
    before.current = first;
    document.getElementById("content")?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [first]);
  const stale = path === "/setup" || path === "/login";
  useEffect(() => {
    if (stale) navigate("/", "replace");
  }, [stale]);
  return (
    <div className="house">
      <a className="skip" href="#content">
        {words.nav.skip}
      </a>
      <Nav path={path} />
      <main id="content" tabIndex={-1}>
        <Boundary key={path} words={words}>
          <Suspense fallback={<Waiting label={words.common.loading} />}>
            <Page path={stale ? "/" : path} me={person} left={left} />
          </Suspense>
        </Boundary>
      </main>
    </div>
  );
}

function Page({ path, me: person, left }: { path: string; me: Me; left: () => void }) {
  const { words } = useWords();
  const owner = person.role === "owner";
  const title = titleOf(path, words.nav);
  useEffect(() => {
    document.title = title ? `${title} · khien` : "khien";
  }, [title]);
  const first = path.split("/")[1] ?? "";
  switch (first) {
    case "":
      return <LivePage owner={owner} />;
    case "timeline":
      return <TimelinePage owner={owner} />;
    case "cameras":
      return <CamerasPage owner={owner} rest={decodeURIComponent(path.split("/")[2] ?? "")} />;
    case "settings":
      return <SettingsPage me={person} left={left} />;
    default:
      return (
        <Empty icon="info" title={words.failed.notFoundTitle} text={words.failed.notFoundText}>
          <LinkButton href="/" go={navigate} kind="main">
            {words.failed.goLive}
          </LinkButton>
        </Empty>
      );
  }
}

function titleOf(
  path: string,
  nav: { live: string; timeline: string; cameras: string; settings: string },
) {
  switch (path.split("/")[1]) {
    case "":
      return nav.live;
    case "timeline":
      return nav.timeline;
    case "cameras":
      return nav.cameras;
    case "settings":
      return nav.settings;
    default:
      return undefined;
  }
}
