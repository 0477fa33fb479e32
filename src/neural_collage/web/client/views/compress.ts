// Compress: follows the settings, first in a window, then in the whole picture.

import { amend } from "../core/address";
import { ApiError } from "../core/api";
import { debounced, h, toggle } from "../core/dom";
import { type Made, Stopped, runInParts, runJob } from "../core/jobs";
import type { Picture, Region, Result, Score } from "../core/types";
import { workspace } from "../core/workspace";
import { CompareView, type SideName } from "../parts/compare-view";
import { JobBar } from "../parts/job-bar";
import { Pixels, windowLayer } from "../parts/pixels";
import { CompressSide } from "./compress-side";
import type { View } from "./view";

const WINDOW = 384; // pixels across a preview, which has to appear while the slider moves
const SMALL = 400_000; // pixels of pictures that need no preview

const other = (side: SideName): SideName => (side === "left" ? "right" : "left");

export class CompressView implements View {
  readonly element: HTMLElement;
  private readonly compare = new CompareView();
  private readonly bar = new JobBar();
  private readonly sides: Record<SideName, CompressSide>;
  private readonly notes = h("p", { class: "hint notes" });
  private picture: Picture | null = null;
  private readonly dirty = new Set<SideName>();
  /** Of each side, what ends its job, which goes on when its file is shown. */
  private readonly jobs: Partial<Record<SideName, AbortController>> = {};
  private readonly measures: Partial<Record<SideName, Promise<void>>> = {};
  private version = 0; // of the settings
  private readonly start = debounced(40, () => void this.work());

  constructor() {
    const formats = workspace.about?.formats ?? [];
    const changed = (side: SideName): void => this.changed(side);
    this.sides = {
      left: new CompressSide("left", this.bar, formats, changed),
      right: new CompressSide("right", this.bar, formats, changed),
    };
    this.sides.right.code = "clg:q50";
    this.bar.addEventListener("stop", () => {
      for (const name of this.dirty) this.sides[name].halt();
    });
    this.compare.addEventListener("view", () => amend({ view: this.compare.view }));
    this.element = h(
      "div",
      { class: "workspace compress" },
      h("div", { class: "stage" }, this.compare, this.bar),
      h("div", { class: "panel two" }, this.sides.left.element, this.sides.right.element, this.notes),
    );
  }

  enter(query: URLSearchParams): void {
    const { picture } = workspace;
    if (!picture) return;
    const before = { left: this.sides.left.code, right: this.sides.right.code };
    for (const name of ["left", "right"] as const) {
      const code = query.get(name);
      if (code) this.sides[name].code = withQuality(code, query.get("q"));
    }
    if (picture.id !== this.picture?.id) this.open(picture);
    else {
      for (const name of ["left", "right"] as const) {
        if (this.sides[name].code !== before[name]) this.changed(name);
      }
    }
    const view = query.get("view");
    if (view) this.compare.view = view;
    this.remember();
  }

  private open(picture: Picture): void {
    this.picture = picture;
    this.compare.toggleAttribute("alpha", picture.alpha);
    this.compare.size(picture.width, picture.height);
    this.notes.textContent = picture.notes.join(" ");
    toggle(this.notes, picture.notes.length > 0);
    for (const name of ["left", "right"] as const) {
      this.sides[name].reset(picture);
      this.compare.show(name, null);
      this.changed(name);
    }
  }

  private remember(): void {
    amend({
      p: this.picture?.id ?? null,
      q: null,
      left: this.sides.left.code,
      right: this.sides.right.code,
    });
  }

  private changed(name: SideName): void {
    this.version += 1;
    this.dirty.add(name);
    if (this.sides[other(name)].mode === "same" && this.sides[other(name)].format !== "original") {
      this.dirty.add(other(name));
    }
    for (const side of this.dirty) {
      this.jobs[side]?.abort();
      this.sides[side].setStale();
      this.label(side);
    }
    this.remember();
    this.start();
  }

  private label(name: SideName): void {
    const side = this.sides[name];
    const waits = side.stale && side.format !== "original";
    this.compare.label(name, waits ? `${side.title}: works` : side.title, waits);
  }

  private async work(): Promise<void> {
    const { picture, version } = this;
    if (!picture) return;
    // a side of equal size follows the other one
    const order = [...this.dirty].sort((a, b) => Number(this.follows(a)) - Number(this.follows(b)));
    await this.bar.during(async (signal) => {
      for (const name of order) {
        await this.update(name, picture, signal);
        if (version !== this.version) return;
        this.dirty.delete(name);
      }
    });
    for (const name of ["left", "right"] as const) await this.score(name, version);
  }

  /** Show all of a result whose file and overview are shown, when it is decoded and measured. */
  private async complete(name: SideName, shown: Result, pixels: Pixels, whole: Made["whole"]): Promise<void> {
    try {
      const facts = await whole;
      if (facts !== shown) await pixels.open();
      this.sides[name].measured(shown, facts);
    } catch (error) {
      if (error instanceof ApiError && this.sides[name].result === shown) this.fail(name, error.message);
    }
  }

  /** Measure what takes long, after all the rest. */
  private async score(name: SideName, version: number): Promise<void> {
    const side = this.sides[name];
    await this.measures[name];
    const { result } = side;
    if (version !== this.version || !result || side.stale || typeof result.ssimulacra2 === "number") return;
    try {
      const score = await runJob<Score>("score", result.id, {}, { slot: "score" });
      side.measured(result, { ssimulacra2: score.ssimulacra2 });
    } catch {
      return; // a figure less
    }
  }

  private follows(name: SideName): boolean {
    return this.sides[name].mode === "same" && this.sides[name].format !== "original";
  }

  private async update(name: SideName, picture: Picture, signal: AbortSignal): Promise<void> {
    const side = this.sides[name];
    const { version } = this;
    const { width, height } = picture;
    if (side.format === "original") {
      const pixels = new Pixels("pictures", picture.id, width, height, () => this.compare.draw());
      this.place(name, pixels, null);
      await pixels.open();
      return;
    }
    const settings = side.settings(this.bytes(other(name)));
    const job = new AbortController();
    const abort = (): void => job.abort();
    signal.addEventListener("abort", abort);
    this.jobs[name] = job;
    try {
      if ("quality" in settings && width * height > SMALL) {
        const region = this.window(name, picture);
        const preview = await this.encode(name, { ...settings, region }, picture, job.signal).whole;
        const layer = await windowLayer(preview.id, region, signal);
        if (version !== this.version) throw new Stopped();
        this.compare.preview(name, layer);
      }
      const { first, whole } = this.encode(name, settings, picture, job.signal);
      const result = await first;
      const pixels = new Pixels("results", result.id, width, height, () => this.compare.draw());
      await pixels.open();
      if (signal.aborted || version !== this.version) throw new Stopped();
      this.place(name, pixels, result);
      this.measures[name] = this.complete(name, result, pixels, whole);
    } catch (error) {
      if (!(error instanceof ApiError) || error.gone || signal.aborted) throw error;
      this.fail(name, error.message);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  private fail(name: SideName, message: string): void {
    this.compare.show(name, null);
    this.sides[name].setResult(null, message);
    this.label(name);
  }

  private encode(
    name: SideName,
    settings: Record<string, unknown>,
    picture: Picture,
    signal: AbortSignal,
  ): Made {
    let shown = false;
    const made = runInParts("encode", picture.id, settings, {
      signal,
      slot: `compress-${name}`,
      onProgress: (progress) => {
        if (!shown) this.bar.tell(progress);
      },
    });
    void made.first.then(() => (shown = true), () => undefined);
    return made;
  }

  private place(name: SideName, pixels: Pixels, result: Result | null): void {
    this.compare.show(name, pixels);
    this.sides[name].setResult(result);
    this.label(name);
  }

  private bytes(name: SideName): number | null {
    return this.sides[name].result?.bytes ?? null;
  }

  /** A window in the middle of what is visible of a side. */
  private window(name: SideName, picture: Picture): Region {
    const [x, y, w, h] = this.compare.visibleOf(name);
    const wide = Math.min(WINDOW, picture.width);
    const high = Math.min(WINDOW, picture.height);
    const left = Math.round(x + w / 2 - wide / 2);
    const top = Math.round(y + h / 2 - high / 2);
    return [
      Math.min(Math.max(0, left), picture.width - wide),
      Math.min(Math.max(0, top), picture.height - high),
      wide,
      high,
    ];
  }

  leave(): void {
    this.bar.replace();
    if (this.dirty.size) this.picture = null; // unfinished: begins anew at the next visit
  }
}

/** "clg" with the quality of the address, if it has its own. */
function withQuality(code: string, quality: string | null): string {
  return code.includes(":") || !quality || code === "original" ? code : `${code}:q${quality}`;
}
