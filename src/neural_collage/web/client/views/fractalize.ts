// Fractalize: a picture made of small copies of itself.

import { h } from "../core/dom";
import { percent } from "../core/format";
import type { Preset, Settings } from "../core/types";
import { workspace } from "../core/workspace";
import { details } from "../parts/export-panel";
import { choice, slider, toggleField } from "../parts/fields";
import { Presets } from "../parts/presets";
import { ArtPage } from "./art-page";

export const PLAIN: Record<string, number | boolean> = { tiles: 64, contrast: 0.5, strength: 1, domains: 1, isometries: false, adaptive: false };

/** The settings in the order in which addresses carry them. */
export const LOOK = ["tiles", "contrast", "strength", "domains", "isometries", "adaptive"];

/** The looks that the server offers, with all of their settings. */
function looks(): Preset[] {
  const offered = workspace.about?.presets?.fractalize ?? [];
  return offered.map((preset) => ({ ...preset, settings: { ...PLAIN, ...preset.settings } }));
}

const DOMAINS = [
  { value: "1", label: "Whole" },
  { value: "9", label: "Halves" },
  { value: "49", label: "Quarters" },
];

export class FractalizePage extends ArtPage {
  readonly element: HTMLElement;
  private readonly edit = (): void => {
    this.presets.select(null);
    this.changed();
  };
  private readonly looks = looks();
  protected readonly presets: Presets = new Presets("Looks", "fractalize", this.looks, (p) => {
    this.apply(p.settings);
    void this.make();
  });
  private readonly tiles = slider({ label: "Copies across", min: 4, max: 128, step: 4, value: 64, onInput: this.edit });
  private readonly contrast = slider({
    label: "How clearly each copy shows", min: 0, max: 0.9, step: 0.05, value: 0.5, say: percent, onInput: this.edit,
  });
  private readonly strength = slider({
    label: "From photo to fractal", min: 0, max: 1, step: 0.05, value: 1, say: percent, onInput: this.edit,
  });
  private readonly domains = choice("Each copy shows", DOMAINS, "1", this.edit);
  private readonly isometries = toggleField("Copies may be turned and mirrored", false, this.edit);
  private readonly adaptive = toggleField("Smaller copies where there is detail", false, this.edit);

  constructor() {
    super("fractalize", "Fractal");
    this.presets.select(this.looks[0]?.id ?? null);
    this.element = this.layout(
      h("section", { class: "card", "aria-label": "Looks" }, this.presets.element),
      details("Fine controls", [
        this.tiles.element,
        this.contrast.element,
        this.strength.element,
        this.domains.element,
        this.isometries.element,
        this.adaptive.element,
      ]),
    );
  }

  protected read(query: URLSearchParams): void {
    const named = this.looks.find((p) => p.id === query.get("preset"));
    if (named) this.apply(named.settings);
    const packed = query.get("set")?.split(",") ?? [];
    if (packed.length === 6) {
      const [tiles = 64, contrast = 0.5, strength = 1, domains = 1, isometries, adaptive] = packed.map(Number);
      if (packed.map(Number).every(Number.isFinite)) {
        this.apply({ tiles, contrast, strength, domains, isometries: isometries === 1, adaptive: adaptive === 1 });
      }
    }
    if (named || packed.length) this.presets.select(named?.id ?? null);
  }

  protected settings(): Settings {
    return {
      tiles: this.fitting(this.tiles.value),
      contrast: this.contrast.value,
      strength: this.strength.value,
      domains: Number(this.domains.value),
      isometries: this.isometries.value,
      adaptive: this.adaptive.value,
    };
  }

  /** The next number of copies that the parts of the picture allow. */
  private fitting(tiles: number): number {
    const parts = { "1": 1, "9": 2, "49": 4 }[this.domains.value] ?? 1;
    const ratio = parts * (this.adaptive.value ? 2 : 1);
    return Math.max(2 * ratio, Math.ceil(tiles / ratio) * ratio);
  }

  private apply(settings: Settings): void {
    this.tiles.value = Number(settings.tiles);
    this.contrast.value = Number(settings.contrast);
    this.strength.value = Number(settings.strength);
    this.domains.value = String(settings.domains);
    this.isometries.value = Boolean(settings.isometries);
    this.adaptive.value = Boolean(settings.adaptive);
  }

  protected query(): Record<string, string | null> {
    const chosen = this.presets.chosen;
    const values = Object.values(this.settings()).map(Number).join(",");
    return { preset: chosen?.id ?? null, set: chosen ? null : values };
  }
}
