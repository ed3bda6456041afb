// Are my cameras well? All of them, one of them, a new one.
import { cameras as resource } from "../api/calls";
import { useResource } from "../api/resource";
import { navigate } from "../lib/url";
import { useWords } from "../lib/words";
import { LinkButton } from "../ui/button";
import { Empty, Notice, Waiting } from "../ui/notice";
import { Add } from "./add";
import { Detail } from "./detail";
import { List } from "./list";
import "./cameras.css";

export default function CamerasPage({ owner, rest }: { owner: boolean; rest: string }) {
  const { words } = useWords();
  const { value, problem } = useResource(resource);
  if (rest === "add" && owner) return <Add />;
  if (!value) {
    return problem ? (
      <div className="page">
        <Notice kind="loss">{words.failed.connection}</Notice>
      </div>
    ) : (
      <Waiting label={words.common.loading} />
    );
  }
  if (rest === "") return <List cameras={value} owner={owner} />;
  const camera = value.find((c) => c.id === rest);
  if (camera) return <Detail key={camera.id} camera={camera} owner={owner} />;
  return (
    <Empty icon="camera" title={words.failed.notFoundTitle} text={words.failed.notFoundText}>
      <LinkButton href="/cameras" go={navigate} kind="main">
        {words.cameras.title}
      </LinkButton>
    </Empty>
  );
}
