// A picture beside what was made of it, which can be saved and sent on.

import type { ViewName } from "../core/address";
import { h } from "../core/dom";
import { dimensions } from "../core/format";
import type { Picture, Result } from "../core/types";
import { CompareView, type SideName } from "./compare-view";
import { downloadLink } from "./export-panel";
import { report } from "./notices";
import { Pixels } from "./pixels";
import { SendOn } from "./send-on";

export class BeforeAfter {
  readonly compare = new CompareView();
  /** The link that saves the result, and its size. */
  readonly saved = h("div", { class: "saved", role: "status" });
  readonly sendOn: SendOn;
  private picture: Picture | null = null;

  /** before: the label of the picture. views: those that a result can be sent on to. */
  constructor(private readonly before: string, ...views: ViewName[]) {
    this.sendOn = new SendOn(...views);
  }

  /** Another picture; nothing of the old one stays. */
  open(picture: Picture): void {
    this.picture = picture;
    this.compare.toggleAttribute("alpha", picture.alpha);
    this.compare.size(picture.width, picture.height);
    this.fill("left", "pictures", picture.id);
    this.compare.label("left", this.before);
    this.clear();
  }

  /** Drop the result: the picture is shown on both sides. */
  clear(): void {
    if (this.picture) this.fill("right", "pictures", this.picture.id);
    this.compare.label("right", "");
    this.withdraw();
  }

  /** An old result stays in view, but can no longer be saved or sent on. */
  withdraw(): void {
    this.saved.replaceChildren();
    this.sendOn.set(null);
  }

  /** Show a result, at the size of the picture. */
  show(made: Result, label: string): void {
    this.fill("right", "results", made.id);
    this.compare.label("right", label);
    this.saved.replaceChildren(downloadLink(made), h("p", { class: "hint" }, dimensions(made.width, made.height)));
    this.sendOn.set(made.id);
  }

  private fill(side: SideName, of: "pictures" | "results", id: string): void {
    if (!this.picture) return;
    const { width, height } = this.picture;
    const pixels = new Pixels(of, id, width, height, () => this.compare.draw());
    this.compare.show(side, pixels);
    pixels.open().catch((error: unknown) => {
      if (!(error instanceof DOMException)) report(error);
    });
  }
}
