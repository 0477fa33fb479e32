// Presets as thumbnails of the own picture, made one after the other while nothing else runs.

import { imageUrl } from "../core/api";
import { h, newId } from "../core/dom";
import { runJob } from "../core/jobs";
import type { JobKind, Picture, Preset } from "../core/types";

const THUMB = 240; // pixels of the longer side

export class Presets {
  readonly element: HTMLElement;
  private readonly inputs: HTMLInputElement[];
  private readonly images: HTMLImageElement[];
  private controller: AbortController | null = null;
  private made = ""; // the picture whose thumbnails are there

  constructor(
    label: string,
    private readonly kind: JobKind,
    private readonly presets: Preset[],
    onPick: (preset: Preset) => void,
    /** Shown before the own thumbnails are made; none by default. */
    placeholder: (preset: Preset) => string = () => "",
  ) {
    const name = newId();
    this.inputs = presets.map((preset) => h("input", { type: "radio", name, value: preset.id }));
    this.images = presets.map((preset) => h("img", { alt: "", src: placeholder(preset) || null }));
    const options = presets.map((preset, index) =>
      h("label", { class: "preset" }, this.inputs[index], h("span", { class: "preset-picture" }, this.images[index]), h("span", {}, preset.title)),
    );
    this.element = h("fieldset", { class: "field presets" }, h("legend", {}, label), h("div", { class: "preset-grid" }, ...options));
    this.element.addEventListener("change", () => {
      const chosen = this.chosen;
      if (chosen) onPick(chosen);
    });
  }

  get chosen(): Preset | null {
    return this.presets[this.inputs.findIndex((input) => input.checked)] ?? null;
  }

  /** Select a preset without calling back; null selects none. */
  select(id: string | null): void {
    for (const input of this.inputs) input.checked = input.value === id;
  }

  /** Make the thumbnails of a picture, unless they are there. */
  async draw(picture: Picture): Promise<void> {
    if (this.made === picture.id) return;
    this.pause();
    const controller = new AbortController();
    this.controller = controller;
    if (!this.made.startsWith(`${picture.id} `)) {
      this.made = `${picture.id} 0`;
      for (const image of this.images) image.classList.remove("own");
    }
    for (const [index, preset] of this.presets.entries()) {
      const image = this.images[index];
      if (!image || image.classList.contains("own")) continue;
      try {
        const { id } = await runJob(
          this.kind,
          picture.id,
          { ...preset.settings, max: THUMB },
          { slot: `thumbs-${this.kind}`, signal: controller.signal },
        );
        if (controller.signal.aborted) return;
        image.src = imageUrl("results", id, { max: THUMB });
        image.classList.add("own");
      } catch {
        return; // thumbnails are an extra: the preset itself tells what is wrong
      }
    }
    this.made = picture.id;
  }

  /** Stop making thumbnails, so that nothing waits for them. */
  pause(): void {
    this.controller?.abort();
    this.controller = null;
  }
}
