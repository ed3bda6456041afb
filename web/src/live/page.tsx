// What is going on now: the wall, or one camera of it.
import { cameras as resource } from "../api/calls";
import { useResource } from "../api/resource";
import type { Camera } from "../api/types";
import { navigate, useUrl, withParams } from "../lib/url";
import { useWords } from "../lib/words";
import { LinkButton } from "../ui/button";
import { Empty, Notice, Waiting } from "../ui/notice";
import { Single } from "./single";
import { Wall } from "./wall";
import "./live.css";

export default function LivePage({ owner }: { owner: boolean }) {
  const { words } = useWords();
  const { value, problem } = useResource(resource);
  const url = useUrl();
  if (!value) {
    return problem ? (
      <Notice kind="loss">{words.failed.connection}</Notice>
    ) : (
      <Waiting label={words.common.loading} />
    );
  }
  const cameras: Camera[] = value;
  if (cameras.length === 0) {
    return (
      <Empty
        icon="camera"
        title={words.live.emptyTitle}
        text={owner ? words.live.emptyText : words.live.emptyViewer}
      >
        {owner && (
          <LinkButton href="/cameras/add" go={navigate} kind="main" icon="add">
            {words.live.addFirst}
          </LinkButton>
        )}
      </Empty>
    );
  }
  const chosen = cameras.find((c) => c.id === url.searchParams.get("camera"));
  const show = (id: string | undefined) =>
    navigate(withParams("/", url.searchParams, { camera: id }));
  if (chosen) return <Single key={chosen.id} camera={chosen} cameras={cameras} show={show} />;
  return <Wall cameras={cameras} show={show} owner={owner} />;
}
