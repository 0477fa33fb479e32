// What Fractalize and Stylize have in common: settings and presets that make a picture anew.

import { amend } from "../core/address";
import { debounced, h } from "../core/dom";
import type { JobKind, Picture, Settings } from "../core/types";
import { workspace } from "../core/workspace";
import { ArtStage } from "../parts/art-stage";
import type { Presets } from "../parts/presets";
import type { Look } from "../parts/zoom-view";
import type { View } from "./view";
import { lookQuery, parseLook } from "./zoom";

export abstract class ArtPage implements View {
  abstract readonly element: HTMLElement;
  protected abstract readonly presets: Presets;
  protected readonly art: ArtStage;
  protected readonly changed = debounced(250, () => void this.make());
  private picture: Picture | null = null;

  /** kind: of the job. after: the label of its result. */
  constructor(
    private readonly kind: JobKind,
    after: string,
  ) {
    this.art = new ArtStage(after);
    this.art.onLook((look) => amend(lookQuery(look)));
  }

  /** The settings of the job. */
  protected abstract settings(): Settings;
  /** The settings as part of an address. */
  protected abstract query(): Record<string, string | number | null>;
  /** Take over the settings of an address. */
  protected abstract read(query: URLSearchParams): void;

  protected layout(...panel: HTMLElement[]): HTMLElement {
    return h("div", { class: `workspace ${this.kind}` }, this.art.stage, h("div", { class: "panel" }, ...panel, this.art.outcome));
  }

  enter(query: URLSearchParams): void {
    const { picture } = workspace;
    if (!picture) return;
    const before = JSON.stringify(this.settings());
    this.read(query);
    const look = parseLook(query);
    if (picture.id !== this.picture?.id) {
      this.picture = picture;
      this.art.reset(picture);
      void this.make(look);
    } else if (JSON.stringify(this.settings()) !== before || !this.art.hasResult) void this.make(look);
    else if (look) this.art.look = look;
    this.remember();
  }

  private remember(): void {
    amend({ p: this.picture?.id ?? null, ...this.query() });
  }

  protected async make(look: Look | null = null): Promise<void> {
    this.remember();
    this.presets.pause();
    const { picture } = this;
    await this.art.make(this.kind, this.settings(), look);
    if (picture && picture === this.picture && !this.art.bar.running) void this.presets.draw(picture);
  }

  leave(): void {
    this.presets.pause();
    this.art.leave();
  }
}
