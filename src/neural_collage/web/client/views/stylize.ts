// Stylize: a picture painted with the patches of another one.

import { h } from "../core/dom";
import { percent } from "../core/format";
import type { Settings } from "../core/types";
import { workspace } from "../core/workspace";
import { choice, slider } from "../parts/fields";
import { chooseButton, receive } from "../parts/intake";
import { Presets } from "../parts/presets";
import { ArtPage } from "./art-page";

const SIZES = [
  { value: "4", label: "Fine" },
  { value: "8", label: "Medium" },
  { value: "16", label: "Broad" },
  { value: "32", label: "Huge" },
];
const COLOURS = [
  { value: "content", label: "Of my picture" },
  { value: "style", label: "Of the style" },
];

export class StylizePage extends ArtPage {
  readonly element: HTMLElement;
  protected readonly presets: Presets;
  private readonly size = choice("Brush strokes", SIZES, "8", this.changed);
  private readonly strength = slider({
    label: "How strongly the style shows", min: 0, max: 1, step: 0.05, value: 0.5, say: percent, onInput: this.changed,
  });
  private readonly own = slider({
    label: "Detail from the picture itself", min: 0, max: 0.9, step: 0.05, value: 0, say: percent, onInput: this.changed,
  });
  private readonly colours = choice("Colours", COLOURS, "content", this.changed);
  private readonly ownName = h("p", { class: "hint", role: "status" });
  private ownStyle: string | null = null;

  constructor() {
    super("stylize", "Painted");
    const styles = workspace.about?.styles ?? [];
    const thumbs = new Map(styles.map((s) => [s.id, s.thumb]));
    this.presets = new Presets(
      "Painted like",
      "stylize",
      styles.map((s) => ({ id: s.id, title: s.title, settings: { style: s.id, size: 8, strength: 0.5 } })),
      () => {
        this.ownStyle = null;
        this.ownName.textContent = "";
        void this.make();
      },
      (preset) => thumbs.get(preset.id) ?? "",
    );
    this.presets.select(styles[0]?.id ?? null);
    this.element = this.layout(
      h(
        "section",
        { class: "card", "aria-label": "Style" },
        this.presets.element,
        chooseButton("Use a picture of mine as the style", "", (file) => void this.takeStyle(file)),
        this.ownName,
      ),
      h(
        "section",
        { class: "card", "aria-label": "Brush" },
        this.size.element,
        this.strength.element,
        this.colours.element,
        this.own.element,
      ),
    );
  }

  protected read(query: URLSearchParams): void {
    const style = query.get("style");
    if (style && workspace.about?.styles.some((s) => s.id === style)) {
      this.ownStyle = null;
      this.presets.select(style);
    }
    const size = query.get("size");
    if (size && SIZES.some((s) => s.value === size)) this.size.value = size;
    const colours = query.get("colours");
    if (colours && COLOURS.some((c) => c.value === colours)) this.colours.value = colours;
    for (const [name, field] of [["strength", this.strength], ["own", this.own]] as const) {
      const value = Number(query.get(name));
      if (query.has(name) && value >= 0 && value <= 1) field.value = value;
    }
  }

  private async takeStyle(file: File): Promise<void> {
    const style = await receive(this.art.bar, file);
    if (!style) return;
    this.ownStyle = style.id;
    this.presets.select(null);
    this.ownName.textContent = `The style is ${style.name}.`;
    await this.make();
  }

  protected settings(): Settings {
    return {
      style: this.ownStyle ?? this.presets.chosen?.id ?? "",
      size: Number(this.size.value),
      strength: this.strength.value,
      own: this.own.value,
      colours: this.colours.value,
    };
  }

  protected query(): Record<string, string | number | null> {
    const { style, size, strength, own, colours } = this.settings();
    return {
      style: this.ownStyle ? null : String(style),
      size: String(size),
      strength: Number(strength),
      own: own ? Number(own) : null,
      colours: String(colours),
    };
  }
}
