// Stylize: a picture painted with the patches of another one.

import { amend } from "../core/address";
import { debounced, h } from "../core/dom";
import { percent } from "../core/format";
import type { Picture, Settings } from "../core/types";
import { workspace } from "../core/workspace";
import { ArtStage } from "../parts/art-stage";
import { choice, slider } from "../parts/fields";
import { chooseButton, receive } from "../parts/intake";
import { Presets } from "../parts/presets";
import type { View } from "./view";
import { lookQuery, parseLook } from "./zoom";

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

export class StylizePage implements View {
  readonly element: HTMLElement;
  private readonly art = new ArtStage("Painted");
  private readonly changed = debounced(250, () => void this.make());
  private readonly presets: Presets;
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
  private picture: Picture | null = null;

  constructor() {
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
    this.art.onLook((look) => amend(lookQuery(look)));
    this.element = h(
      "div",
      { class: "workspace stylize" },
      this.art.stage,
      h(
        "div",
        { class: "panel" },
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
        this.art.outcome,
      ),
    );
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

  private read(query: URLSearchParams): void {
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

  private settings(): Settings {
    return {
      style: this.ownStyle ?? this.presets.chosen?.id ?? "",
      size: Number(this.size.value),
      strength: this.strength.value,
      own: this.own.value,
      colours: this.colours.value,
    };
  }

  private remember(): void {
    const { style, size, strength, own, colours } = this.settings();
    amend({
      p: this.picture?.id ?? null,
      style: this.ownStyle ? null : String(style),
      size: String(size),
      strength: Number(strength),
      own: own ? Number(own) : null,
      colours: String(colours),
    });
  }

  private async make(look: ReturnType<typeof parseLook> = null): Promise<void> {
    this.remember();
    this.presets.pause();
    const { picture } = this;
    await this.art.make("stylize", this.settings(), look);
    if (picture && picture === this.picture && !this.art.bar.running) void this.presets.draw(picture);
  }

  leave(): void {
    this.presets.pause();
    this.art.leave();
  }
}
