// A picture made of another one: zoomed without end, or beside what it was made of.

import { amend } from "../core/address";
import { h, reveal, toggle } from "../core/dom";
import { dimensions } from "../core/format";
import type { JobKind, Picture, Result, Settings } from "../core/types";
import { CompareView } from "./compare-view";
import { ExportPanel, downloadLink } from "./export-panel";
import { choice } from "./fields";
import { JobBar } from "./job-bar";
import { report } from "./notices";
import { Pixels } from "./pixels";
import { SendOn } from "./send-on";
import { type Look, ZoomView } from "./zoom-view";

export class ArtStage {
  readonly stage: HTMLElement;
  /** What can be done with the result. */
  readonly outcome: HTMLElement;
  readonly bar = new JobBar();
  private readonly zoom = new ZoomView();
  private readonly compare = new CompareView();
  private readonly shown = choice(
    "Show",
    [
      { value: "zoom", label: "Zoom" },
      { value: "compare", label: "Before and after" },
    ],
    "zoom",
    () => this.arrange(),
  );
  private readonly exports = new ExportPanel(this.zoom, true);
  private readonly save = h("div", { class: "saved", role: "status" });
  private readonly sendOn = new SendOn("compress", "stylize", "fractalize");
  private picture: Picture | null = null;
  private result: Result | null = null;
  private version = 0;

  /** after: the label of the result in the compare view. */
  constructor(private readonly after: string) {
    const start = h("div", { class: "stage-start" });
    this.stage = h("div", { class: "stage" }, this.zoom, this.compare, start, this.bar);
    this.outcome = h(
      "section",
      { class: "outcome", "aria-label": "Result", hidden: true },
      h("div", { class: "card" }, this.shown.element, this.save, this.sendOn.element),
      this.exports.element,
    );
    this.bar.addEventListener("stop", () => this.stage.removeAttribute("data-stale"));
  }

  /** Another picture to work on; nothing of the old one stays. */
  reset(picture: Picture): void {
    this.version += 1;
    this.bar.replace();
    this.picture = picture;
    this.result = null;
    this.zoom.open(null);
    this.exports.reset();
    this.save.replaceChildren();
    this.sendOn.set(null);
    this.outcome.hidden = true;
    this.compare.toggleAttribute("alpha", picture.alpha);
    this.compare.size(picture.width, picture.height);
    this.compare.show("right", null);
    this.compare.label("right", "");
    this.fill("left", new Pixels("pictures", picture.id, picture.width, picture.height, () => this.compare.draw()));
    this.compare.label("left", "Before");
    this.arrange();
  }

  get hasResult(): boolean {
    return this.result !== null;
  }

  /** Make a picture anew; whether that worked. The old one stays, marked, until the new one is there. */
  async make(kind: JobKind, settings: Settings, look: Look | null = null): Promise<boolean> {
    const { picture } = this;
    if (!picture) return false;
    this.version += 1;
    const { version } = this;
    this.stage.setAttribute("data-stale", "");
    this.outcome.hidden = true;
    const made = await this.bar.run(kind, picture.id, settings);
    if (version !== this.version) return false;
    this.stage.removeAttribute("data-stale");
    if (made) this.show(made, look);
    else this.outcome.hidden = this.result === null;
    return made !== null;
  }

  private show(made: Result, look: Look | null): void {
    this.result = made;
    const { scene, width, height, pyramid } = made;
    this.arrange(); // the viewer measures itself when it opens
    if (scene && pyramid) this.zoom.open({ scene, ...pyramid }, look);
    this.exports.reset();
    // the before has the pixels of the upload; the after may be larger
    const { picture } = this;
    const [wide, high] = picture ? [picture.width, picture.height] : [width, height];
    this.fill("right", new Pixels("results", made.id, wide, high, () => this.compare.draw()));
    this.compare.label("right", this.after);
    this.save.replaceChildren(downloadLink(made), h("p", { class: "hint" }, dimensions(width, height)));
    this.sendOn.set(made.id);
    this.outcome.hidden = false;
    reveal(this.stage);
  }

  private fill(side: "left" | "right", pixels: Pixels): void {
    this.compare.show(side, pixels);
    pixels.open().catch((error: unknown) => {
      if (!(error instanceof DOMException)) report(error);
    });
  }

  /** Call back when the view of the zoom has changed. */
  onLook(run: (look: Look) => void): void {
    this.zoom.addEventListener("look", () => run(this.zoom.look));
  }

  set look(look: Look) {
    this.zoom.look = look;
  }

  private arrange(): void {
    const compare = this.shown.value === "compare" || !this.result?.scene;
    toggle(this.zoom, !compare);
    toggle(this.compare, compare);
    amend({ show: compare && this.result ? "compare" : null });
  }

  leave(): void {
    this.bar.replace();
  }
}
