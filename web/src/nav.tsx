import { navigate } from "./lib/url";
import { useWords } from "./lib/words";
import { Link } from "./ui/button";
import { Icon, type IconName, Sign } from "./ui/icon";

type Place = "live" | "timeline" | "cameras" | "settings";

const PLACES: readonly { id: Place; href: string; icon: IconName }[] = [
  { id: "live", href: "/", icon: "live" },
  { id: "timeline", href: "/timeline", icon: "timeline" },
  { id: "cameras", href: "/cameras", icon: "camera" },
  { id: "settings", href: "/settings", icon: "settings" },
];

/** One word each: at the left on a desk, at the bottom on a phone. */
export function Nav({ path }: { path: string }) {
  const { words } = useWords();
  const first = `/${path.split("/")[1] ?? ""}`;
  return (
    <nav className="nav" aria-label={words.nav.label}>
      <div className="nav-sign">
        <Sign size={36} />
      </div>
      <ul>
        {PLACES.map(({ id, href, icon }) => (
          <li key={id}>
            <Link href={href} go={navigate} aria-current={href === first ? "page" : undefined}>
              <Icon name={icon} size={22} />
              <span>{words.nav[id]}</span>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
