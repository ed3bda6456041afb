// A page that breaks takes only itself down, and says so.
import { Component, type ReactNode } from "react";
import type { Words } from "./lib/words";
import { Button } from "./ui/button";
import { Empty } from "./ui/notice";

interface Props {
  words: Words;
  children: ReactNode;
}

export class Boundary extends Component<Props, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    const { failed } = this.props.words;
    return (
      <Empty icon="warning" title={failed.pageTitle} text={failed.pageText}>
        <Button kind="main" onClick={() => window.location.reload()}>
          {failed.reload}
        </Button>
      </Empty>
    );
  }
}
