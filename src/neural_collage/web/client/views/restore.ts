// Restore: fill what is painted over, remove noise, enlarge.

import { amend } from "../core/address";
import { h, reveal, toggle } from "../core/dom";
import type { Picture, Result, Settings } from "../core/types";
import { workspace } from "../core/workspace";
import { BeforeAfter } from "../parts/before-after";
import { choice, select, slider, toggleField } from "../parts/fields";
import { JobBar } from "../parts/job-bar";
import { PaintView } from "../parts/paint-view";
import type { View } from "./view";

const KINDS = [
  { value: "fill", label: "Fill a spot", hint: "Paint over a scratch or a thing; the rest of the picture fills it." },
  { value: "denoise", label: "Remove noise", hint: "Grain of dark or old photos." },
  { value: "enlarge", label: "Enlarge", hint: "More pixels, with edges that stay sharp." },
];
const ACTIONS: Record<string, string> = { fill: "Fill it", denoise: "Remove the noise", enlarge: "Enlarge it" };
const SCALES = [2, 3, 4, 8];

export class RestorePage implements View {
  readonly element: HTMLElement;
  private readonly kind = choice("What to do", KINDS, "fill", () => this.arrange(true));
  private readonly automatic = toggleField("Measure the noise", true, () => this.arrange(false));
  private readonly noise = slider({ label: "Noise", min: 1, max: 60, value: 15, say: (n) => `${n} grey levels` });
  private readonly scale = select("Times as large", SCALES.map((s) => ({ value: String(s), label: `${s}×` })), "2");
  private readonly paint = new PaintView();
  private readonly pair = new BeforeAfter("Before", "restore", "zoom", "compress", "fractalize");
  private readonly bar = new JobBar();
  private readonly action = h("button", { class: "primary wide", onclick: () => void this.run() });
  private readonly again = h("button", { class: "wide", onclick: () => this.forget() }, "Back to painting");
  private readonly hint = h("p", { class: "hint" });
  private readonly outcome = h("section", { class: "card", "aria-label": "Result" }, this.pair.saved, this.pair.sendOn.element);
  private readonly stage = h("div", { class: "stage" }, this.paint, this.pair.compare, this.bar);
  private picture: Picture | null = null;
  private result: Result | null = null;

  constructor() {
    this.paint.addEventListener("paint", () => this.arrange(false));
    this.element = h(
      "div",
      { class: "workspace restore" },
      this.stage,
      h(
        "div",
        { class: "panel" },
        h(
          "section",
          { class: "card", "aria-label": "What to do" },
          this.kind.element,
          this.automatic.element,
          this.noise.element,
          this.scale.element,
          this.hint,
          this.action,
          this.again,
        ),
        this.outcome,
      ),
    );
  }

  enter(query: URLSearchParams): void {
    const { picture } = workspace;
    if (!picture) return;
    const what = query.get("what");
    const changed = what !== null && what !== this.kind.value && KINDS.some((k) => k.value === what);
    if (changed) this.kind.value = what;
    if (picture.id !== this.picture?.id) {
      this.picture = picture;
      this.paint.open(picture);
      this.pair.open(picture);
      this.forget();
    } else this.arrange(changed);
    const scale = query.get("scale");
    if (scale && SCALES.includes(Number(scale))) this.scale.value = scale;
    amend({ p: picture.id, what: this.kind.value, scale: null, run: null });
    if (query.has("run") && !this.result) void this.run();
  }

  /** Drop the result; strokes stay. */
  private forget(): void {
    this.bar.replace();
    this.result = null;
    this.pair.clear();
    this.arrange(false);
  }

  private arrange(changed: boolean): void {
    if (changed && this.result) this.forget();
    const what = this.kind.value;
    const painting = what === "fill" && !this.result;
    toggle(this.paint, painting);
    toggle(this.pair.compare, !painting);
    toggle(this.automatic.element, what === "denoise");
    toggle(this.noise.element, what === "denoise" && !this.automatic.value);
    toggle(this.scale.element, what === "enlarge");
    toggle(this.outcome, this.result !== null);
    toggle(this.again, what === "fill" && this.result !== null);
    toggle(this.action, !(what === "fill" && this.result !== null));
    this.action.textContent = ACTIONS[what] ?? "Restore it";
    const missing = what === "fill" && !this.paint.painted;
    this.action.disabled = missing;
    this.hint.textContent = missing ? "Paint over the spot in the picture first." : "";
    if (changed) amend({ what });
  }

  private async run(): Promise<void> {
    const { picture } = this;
    if (!picture) return;
    const what = this.kind.value;
    const settings: Settings = { what };
    if (what === "fill") settings.mask = await this.paint.mask();
    if (what === "denoise" && !this.automatic.value) settings.noise = this.noise.value;
    if (what === "enlarge") settings.scale = Number(this.scale.value);
    this.result = null;
    this.pair.withdraw();
    const made = await this.bar.run("restore", picture.id, settings);
    if (!made || this.picture !== picture) return;
    this.result = made;
    this.pair.show(made, "After");
    this.arrange(false);
    reveal(this.stage);
  }

  leave(): void {
    this.bar.replace();
  }
}
