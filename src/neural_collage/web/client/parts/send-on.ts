// A result becomes the picture of the workspace, in another view.

import { type ViewName, go } from "../core/address";
import { resultAsPicture } from "../core/api";
import { h } from "../core/dom";
import { workspace } from "../core/workspace";
import { report } from "./notices";

const LABELS: Partial<Record<ViewName, string>> = {
  compress: "Compress it",
  zoom: "Zoom into it",
  fractalize: "Fractalize it",
  stylize: "Stylize it",
  restore: "Restore it",
};

/** Buttons that send a result on. */
export class SendOn {
  readonly element: HTMLElement;
  private result: string | null = null;

  constructor(...views: ViewName[]) {
    const buttons = views.map((view) =>
      h("button", { class: "quiet", onclick: () => void this.send(view) }, LABELS[view] ?? view),
    );
    this.element = h(
      "div",
      { class: "send-on", role: "group", "aria-label": "Go on with this result", hidden: true },
      ...buttons,
    );
  }

  /** The result that is sent; null for none. */
  set(result: string | null): void {
    this.result = result;
    this.element.hidden = result === null;
  }

  private async send(view: ViewName): Promise<void> {
    if (!this.result) return;
    try {
      const picture = await resultAsPicture(this.result);
      workspace.open(picture, workspace.origin);
      go(view, { p: picture.id });
    } catch (error) {
      report(error);
    }
  }
}
