// What happened then? One camera, one day, one instant.
import { cameras as resource } from "../api/calls";
import { useResource } from "../api/resource";
import { navigate, useUrl } from "../lib/url";
import { useWords } from "../lib/words";
import { LinkButton } from "../ui/button";
import { Empty, Notice, Waiting } from "../ui/notice";
import { Desk } from "./desk";
import "./timeline.css";

export default function TimelinePage({ owner }: { owner: boolean }) {
  const { words } = useWords();
  const { value, problem } = useResource(resource);
  const url = useUrl();
  if (!value) {
    return problem ? (
      <div className="page">
        <Notice kind="loss">{words.failed.connection}</Notice>
      </div>
    ) : (
      <Waiting label={words.common.loading} />
    );
  }
  const asked = url.searchParams.get("camera");
  const camera = value.find((c) => c.id === asked) ?? (asked === null ? value[0] : undefined);
  if (camera) return <Desk key={camera.id} camera={camera} cameras={value} />;
  if (value.length > 0) {
    return (
      <Empty icon="timeline" title={words.failed.notFoundTitle} text={words.failed.notFoundText}>
        <LinkButton href="/timeline" go={navigate} kind="main">
          {words.timeline.title}
        </LinkButton>
      </Empty>
    );
  }
  return (
    <Empty icon="timeline" title={words.live.emptyTitle} text={words.timeline.noCamera}>
      {owner && (
        <LinkButton href="/cameras/add" go={navigate} kind="main" icon="add">
          {words.live.addFirst}
        </LinkButton>
      )}
    </Empty>
  );
}
