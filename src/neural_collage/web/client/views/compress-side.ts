// One side of the compare view: what it shows, at which quality or size, and its facts.

import { fileUrl, imageUrl } from "../core/api";
import { h, icon, toggle } from "../core/dom";
import { saving, size, stem } from "../core/format";
import type { Format, Picture, Result, Settings } from "../core/types";
import { workspace } from "../core/workspace";
import type { SideName } from "../parts/compare-view";
import { numberField, select, slider } from "../parts/fields";
import { ICONS } from "../parts/icons";
import type { JobBar } from "../parts/job-bar";
import { SendOn } from "../parts/send-on";

export type Mode = "quality" | "size" | "same";
const MODES = [
  { value: "quality", label: "Quality" },
  { value: "size", label: "Target size" },
  { value: "same", label: "Equal size" },
];
const SCALES = [1, 2, 4, 8];
const AT_ONCE = 6_000_000; // pixels that the server decodes in an answer; more are a job

export class CompressSide {
  readonly element: HTMLElement;
  format = "original";
  mode: Mode = "quality";
  result: Result | null = null;
  stale = false;
  private picture: Picture | null = null;
  private readonly formatField;
  private readonly modeField;
  private readonly quality;
  private readonly target;
  private readonly controls: HTMLElement;
  private readonly sizeText = h("p", { class: "size-text" });
  private readonly figures = h("dl", { class: "figures" });
  private readonly problem = h("p", { class: "problem" });
  private readonly download = h("a", { class: "button primary", download: "" });
  private readonly scale;
  private readonly png = h("button", { onclick: () => void this.savePng() });
  private readonly asPng: HTMLElement;
  private readonly sendOn = new SendOn("zoom", "fractalize");

  /** bar: shows the progress of decoding. onChange: called after each change of a setting. */
  constructor(
    readonly name: SideName,
    private readonly bar: JobBar,
    formats: Format[],
    onChange: (side: SideName) => void,
  ) {
    const changed = (): void => {
      this.read();
      onChange(name);
    };
    const title = name === "left" ? "Left" : "Right";
    this.formatField = select(
      `${title} side`,
      [{ value: "original", label: "Original" }, ...formats.map((f) => ({ value: f.id, label: f.id === "clg" ? "Collage" : f.label }))],
      "original",
      changed,
    );
    this.modeField = select("Set by", MODES, "quality", changed);
    this.quality = slider({ label: "Quality", min: 1, max: 100, value: 50, onInput: changed });
    this.target = numberField({
      label: "Target size", min: 0.2, max: 100_000, step: 0.1, value: 20, unit: "kB", onChange: changed,
    });
    this.controls = h("div", { class: "controls" }, this.quality.element, this.target.element);
    this.scale = select("Scale", SCALES.map((s) => ({ value: String(s), label: `${s}×` })), "1", () => this.showScales());
    this.asPng = h("div", { class: "as-png" }, this.scale.element, this.png);
    this.element = h(
      "section",
      { class: "card side", "aria-label": `${title} side` },
      h("div", { class: "side-settings" }, h("div", { class: "selects" }, this.formatField.element, this.modeField.element), this.controls),
      h(
        "div",
        { class: "side-facts" },
        h("div", { role: "status" }, this.sizeText, this.problem),
        this.figures,
        h("div", { class: "saves" }, this.download, this.asPng),
        this.sendOn.element,
      ),
    );
  }

  /** Another picture; nothing of the old one stays. */
  reset(picture: Picture | null): void {
    this.picture = picture;
    this.setResult(null);
  }

  /** The settings as part of an address: "clg:q50", "jpeg:same", "original". */
  get code(): string {
    if (this.format === "original") return "original";
    const how = { quality: `q${this.quality.value}`, size: `s${this.target.value}`, same: "same" };
    return `${this.format}:${how[this.mode]}`;
  }

  set code(text: string) {
    const [format = "original", how = ""] = text.split(":");
    const known = [...this.formatField.input.options].some((o) => o.value === format);
    this.formatField.value = known ? format : "original";
    const value = Number(how.slice(1));
    if (how === "same") this.modeField.value = "same";
    else if (how.startsWith("s") && value > 0) {
      this.modeField.value = "size";
      this.target.value = value;
    } else {
      this.modeField.value = "quality";
      if (how.startsWith("q") && value >= 1 && value <= 100) this.quality.value = value;
    }
    this.read();
  }

  /** Settings of the job; other: bytes of the other side for equal sizes, if it has some. */
  settings(other: number | null): Settings {
    if (this.mode === "size") return { format: this.format, size: Math.round(this.target.value * 1000) };
    if (this.mode === "same" && other) return { format: this.format, size: other };
    return { format: this.format, quality: this.quality.value };
  }

  /** What the compare view says over this side. */
  get title(): string {
    const label = this.formatField.input.selectedOptions[0]?.textContent ?? "";
    const bytes = this.format === "original" ? this.picture?.bytes : this.result?.bytes;
    return bytes && !this.stale ? `${label}, ${size(bytes)}` : label;
  }

  setStale(): void {
    this.stale = true;
    this.show();
  }

  /** A result with the settings as they are; null while there is none. */
  setResult(result: Result | null, problem = ""): void {
    this.result = result;
    this.stale = false;
    this.problem.textContent = problem;
    this.show();
  }

  /** What was measured of the result meanwhile. */
  measured(result: Result, facts: Partial<Result>): void {
    if (this.result !== result) return;
    Object.assign(result, facts);
    this.show();
  }

  /** The work was stopped: what is shown is of older settings. */
  halt(): void {
    this.setResult(null, "Stopped. Change a setting to start again.");
  }

  private read(): void {
    this.format = this.formatField.value;
    this.mode = this.modeField.value as Mode;
    this.show();
  }

  private show(): void {
    const { picture, result } = this;
    const original = this.format === "original";
    toggle(this.controls, !original && this.mode !== "same");
    toggle(this.modeField.element, !original);
    toggle(this.quality.element, this.mode === "quality");
    toggle(this.target.element, this.mode === "size");
    this.element.toggleAttribute("data-stale", this.stale);
    const ready = original ? picture !== null : result !== null && !this.stale;
    toggle(this.download, ready && !original);
    toggle(this.figures, !original && result !== null);
    const complete = original || result?.psnr !== undefined;
    const decodes = original ? picture?.kind === "clg" : this.format === "clg";
    toggle(this.asPng, ready && decodes && complete);
    this.sendOn.set(!original && ready && complete && result ? result.id : null);
    if (!picture) return;
    if (original) this.showOriginal(picture);
    else if (result) this.showResult(picture, result);
    else this.sizeText.textContent = this.problem.textContent ? "" : "Works …";
    if (ready) this.showScales();
  }

  private showOriginal(picture: Picture): void {
    this.sizeText.replaceChildren(h("strong", {}, size(picture.bytes)), " as it came");
  }

  private showResult(picture: Picture, result: Result): void {
    const bytes = result.bytes ?? 0;
    const saved = result.saved ?? 1 - bytes / picture.bytes;
    this.sizeText.replaceChildren(
      `${size(picture.bytes)} → `,
      h("strong", {}, size(bytes)),
      `, ${saving(saved)}`,
    );
    const psnr = result.psnr === undefined ? "–" : result.psnr === null ? "exact" : `${result.psnr.toFixed(2)} dB`;
    const figures: [string, string][] = [
      ["Bits per pixel", (result.bpp ?? (8 * bytes) / (result.width * result.height)).toFixed(3)],
      ["PSNR", psnr],
    ];
    const seen = result.ssimulacra2;
    if (seen !== null && seen !== undefined) figures.push(["SSIMULACRA2", seen.toFixed(1)]);
    if (this.mode !== "quality" && result.quality) figures.push(["Quality", String(result.quality)]);
    this.figures.replaceChildren(
      ...figures.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
    );
    this.download.href = fileUrl("results", result.id);
    this.download.replaceChildren(icon(ICONS.download), `Save ${result.name}`, h("small", {}, size(bytes)));
  }

  /** What can be decoded at a scale: the .clg that was opened, or the one that was made. */
  private get decoded(): Picture | Result | null {
    return this.format === "original" ? this.picture : this.result;
  }

  private showScales(): void {
    const made = this.decoded;
    if (!made) return;
    const limit = workspace.about?.limits.pixels ?? Infinity;
    for (const option of this.scale.input.options) {
      option.disabled = made.width * made.height * Number(option.value) ** 2 > limit;
    }
    if (this.scale.input.selectedOptions[0]?.disabled) this.scale.value = "1";
    const scale = Number(this.scale.value);
    const words = `${made.width * scale} × ${made.height * scale}`;
    this.png.replaceChildren("Save as PNG", h("small", {}, words));
  }

  private async savePng(): Promise<void> {
    const made = this.decoded;
    if (!made) return;
    const scale = Number(this.scale.value);
    const [width, height] = [made.width * scale, made.height * scale];
    const link = h("a", { download: `${stem(made.name)}-${width}x${height}.png` });
    const of = made === this.picture ? "pictures" : "results";
    if (width * height <= AT_ONCE) link.href = imageUrl(of, made.id, { scale, form: "png" });
    else {
      const scene = of === "results" ? this.result : await this.bar.run("scene", made.id, { of: "clg" });
      const view = scene?.scene && (await this.bar.run("view", null, { scene: scene.scene, scale }));
      if (!view) return;
      link.href = fileUrl("results", view.id);
    }
    link.click();
  }
}
