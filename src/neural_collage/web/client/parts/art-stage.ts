// A picture made of another one: zoomed without end, or beside what it was made of.

import { amend } from "../core/address";
import { h, reveal, toggle } from "../core/dom";
import type { JobKind, Picture, Result, Settings } from "../core/types";
import { BeforeAfter } from "./before-after";
import { ExportPanel } from "./export-panel";
import { choice } from "./fields";
import { JobBar } from "./job-bar";
import { type Look, ZoomView } from "./zoom-view";

export class ArtStage {
  readonly stage: HTMLElement;
  /** What can be done with the result. */
  readonly outcome: HTMLElement;
  readonly bar = new JobBar();
  private readonly zoom = new ZoomView();
  private readonly pair = new BeforeAfter("Before", "compress", "stylize", "fractalize");
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
  private picture: Picture | null = null;
  private result: Result | null = null;
  private version = 0;

  /** after: the label of the result in the compare view. */
  constructor(private readonly after: string) {
    const start = h("div", { class: "stage-start" });
    this.stage = h("div", { class: "stage" }, this.zoom, this.pair.compare, start, this.bar);
    this.outcome = h(
      "section",
      { class: "outcome", "aria-label": "Result", hidden: true },
      h("div", { class: "card" }, this.shown.element, this.pair.saved, this.pair.sendOn.element),
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
    this.outcome.hidden = true;
    this.pair.open(picture);
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
    const { scene, pyramid } = made;
    this.arrange(); // the viewer measures itself when it opens
    if (scene && pyramid) this.zoom.open({ scene, ...pyramid }, look);
    this.exports.reset();
    this.pair.show(made, this.after);
    this.outcome.hidden = false;
    reveal(this.stage);
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
    toggle(this.pair.compare, compare);
    amend({ show: compare && this.result ? "compare" : null });
  }

  leave(): void {
    this.bar.replace();
  }
}
