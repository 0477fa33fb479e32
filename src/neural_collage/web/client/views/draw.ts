// Draw: what the generative models draw or write, each drawing sharp at every scale.

import { imageUrl, sentence } from "../core/api";
import { amend, go } from "../core/address";
import { debounced, h, icon, reveal, toggle } from "../core/dom";
import type { Result } from "../core/types";
import { workspace } from "../core/workspace";
import { downloadLink } from "../parts/export-panel";
import { choice, numberField, slider, textField } from "../parts/fields";
import { ICONS } from "../parts/icons";
import { JobBar } from "../parts/job-bar";
import type { View } from "./view";

const CALM = 0.4;
const WILD = 1.1;
const OTHERS = "Draw others";
const LONGEST = 200; // characters of a text
const SHOWN = 1600; // pixels across the picture of a text

export class DrawPage implements View {
  readonly element: HTMLElement;
  private readonly bar = new JobBar();
  private readonly changed = debounced(300, () => void this.draw());
  private readonly model;
  private readonly text = textField(
    "A text in a font that never was",
    {
      most: LONGEST,
      placeholder: "Type a word or two",
      hint: "Left empty, single letters are drawn. Letters A to Z, digits and a few signs; another number is another font.",
    },
    this.changed,
  );
  private readonly count = slider({
    label: "How many", min: 1, max: 100, value: 24, onInput: this.changed,
  });
  private readonly temperature = slider({
    label: "How daring", min: 0.1, max: 1.2, step: 0.05, value: 0.9, say: daring, onInput: this.changed,
  });
  private readonly scale = slider({
    label: "Size of the saved sheet", min: 1, max: 20, value: 4, say: (s) => `${s}×`, onInput: this.changed,
  });
  private readonly seed = numberField({
    label: "Number of the draw", min: 0, max: 2 ** 31 - 1, value: 0, onChange: this.changed,
  });
  private readonly again = h("span", {}, OTHERS);
  private readonly sheet = h("div", { class: "sheet", role: "list", "aria-label": "Drawings" });
  private readonly saved = h("div", { class: "saved", role: "status" });
  private readonly stage: HTMLElement;
  private result: Result | null = null;

  constructor() {
    const models = workspace.about?.models ?? [];
    this.model = choice(
      "What is drawn",
      models.map((m) => ({ value: m.id, label: m.title, hint: sentence(m.text) })),
      models[0]?.id ?? "",
      () => {
        this.arrange();
        void this.draw();
      },
    );
    const again = h(
      "button",
      { class: "primary wide", onclick: () => void this.another() },
      icon(ICONS.dice),
      this.again,
    );
    this.stage = h("div", { class: "stage scrolls" }, this.sheet, this.bar);
    this.element = h(
      "div",
      { class: "workspace draw" },
      this.stage,
      h(
        "div",
        { class: "panel" },
        h(
          "section",
          { class: "card", "aria-label": "What is drawn" },
          this.model.element,
          this.text.element,
          this.count.element,
          this.temperature.element,
          again,
          this.seed.element,
          h("p", { class: "hint" }, "The same number with the same settings gives the same drawings. Choose a drawing to zoom into it: its edges stay sharp at every size."),
        ),
        h("section", { class: "card", "aria-label": "Save" }, this.scale.element, this.saved),
      ),
    );
  }

  enter(query: URLSearchParams): void {
    const model = query.get("model");
    if (model && workspace.about?.models.some((m) => m.id === model)) this.model.value = model;
    for (const [name, field, low, high] of [
      ["n", this.count, 1, 100],
      ["t", this.temperature, 0.1, 1.2],
      ["seed", this.seed, 0, 2 ** 31 - 1],
    ] as const) {
      const value = Number(query.get(name));
      if (query.has(name) && value >= low && value <= high) field.value = value;
    }
    const text = query.get("text");
    const isOther = text !== null && text !== this.text.value && text.length <= LONGEST;
    if (isOther) this.text.value = text;
    this.arrange();
    if (!this.result || isOther) void this.draw();
    else this.remember();
  }

  /** The text that is written; "" where single drawings are made. */
  private get written(): string {
    const writes = workspace.about?.models.find((m) => m.id === this.model.value)?.writes;
    return writes ? this.text.value.trim() : "";
  }

  private arrange(): void {
    toggle(this.text.element, workspace.about?.models.find((m) => m.id === this.model.value)?.writes ?? false);
    toggle(this.count.element, !this.written);
    this.again.textContent = this.written ? "Another font" : OTHERS;
  }

  private remember(): void {
    amend({
      model: this.model.value,
      n: this.count.value,
      t: this.temperature.value,
      seed: this.seed.value,
      text: this.written || null,
    });
  }

  private async another(): Promise<void> {
    this.seed.value = Math.floor(Math.random() * 100_000);
    await this.draw();
  }

  private async draw(): Promise<void> {
    this.arrange();
    this.remember();
    this.stage.setAttribute("data-stale", "");
    this.saved.replaceChildren();
    const made = await this.bar.run("draw", null, {
      model: this.model.value,
      count: this.count.value,
      scale: this.scale.value,
      temperature: this.temperature.value,
      seed: this.seed.value,
      text: this.written || null,
    });
    if (this.bar.running) return;
    this.stage.removeAttribute("data-stale");
    if (!made) return;
    this.result = made;
    this.saved.replaceChildren(downloadLink(made));
    this.show(made);
    reveal(this.stage);
  }

  private show(made: Result): void {
    const title = workspace.about?.models.find((m) => m.id === this.model.value)?.title ?? "Drawing";
    const { pyramid } = made;
    const text = this.written;
    this.sheet.toggleAttribute("data-text", text !== "");
    if (!pyramid) return;
    if (text) {
      const image = h("img", { src: imageUrl("results", made.id, { max: SHOWN }), alt: text });
      this.sheet.replaceChildren(this.drawing(made, 0, "Zoom into the text", image));
      return;
    }
    // the deepest level at which a drawing is a single tile
    const level = pyramid.base_level + Math.floor(Math.log2(pyramid.tile / Math.max(pyramid.width, pyramid.height)));
    const items = (made.scenes ?? []).map((scene, index) => {
      const image = h("img", { src: `/tiles/${scene}/${level}/0_0.jpg`, alt: `${title}, drawing ${index + 1}`, loading: "lazy" });
      image.addEventListener("error", () => window.setTimeout(() => (image.src = image.src), 1500), { once: true });
      return this.drawing(made, index, `Zoom into drawing ${index + 1}`, image);
    });
    this.sheet.replaceChildren(...items);
    toggle(this.sheet, items.length > 0);
  }

  private drawing(made: Result, index: number, label: string, image: HTMLElement): HTMLElement {
    const open = (): void => go("zoom", { r: made.id, i: String(index) });
    return h("div", { role: "listitem" }, h("button", { class: "drawing", "aria-label": label, onclick: open }, image));
  }

  leave(): void {
    this.bar.replace();
  }
}

function daring(temperature: number): string {
  if (temperature <= CALM) return "careful";
  if (temperature < 0.8) return "calm";
  if (temperature < WILD) return "lively";
  return "wild";
}
