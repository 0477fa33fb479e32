// What can be saved of a scene: the view, the whole at sizes for print, and a movie.

import { fileUrl } from "../core/api";
import { h, icon, reveal, toggle } from "../core/dom";
import { dimensions, size } from "../core/format";
import type { Result, Settings } from "../core/types";
import { workspace } from "../core/workspace";
import { choice, numberField, select, slider } from "./fields";
import { ICONS } from "./icons";
import { JobBar } from "./job-bar";
import type { ZoomView } from "./zoom-view";

const INCH = 25.4; // mm
const PAPERS = [
  { value: "a4", label: "A4 print", side: (297 / INCH) * 300 },
  { value: "a3", label: "A3 print", side: (420 / INCH) * 200 },
  { value: "a2", label: "A2 print", side: (594 / INCH) * 150 },
  { value: "screen", label: "4K screen", side: 3840 },
];
const SIDES = [360, 540, 720, 1080];

export class ExportPanel {
  readonly element: HTMLElement;
  private readonly bar = new JobBar();
  private readonly width = numberField({ label: "Width in pixels", min: 16, max: 8000, value: 1920 });
  private readonly saved = h("div", { class: "saved", role: "status" });
  private readonly paper = select("Size", PAPERS, "a4");
  private readonly seconds = slider({ label: "Length", min: 2, max: 20, value: 6, say: (s) => `${s} s` });
  private readonly side = select("Size", SIDES.map((s) => ({ value: String(s), label: `${s} × ${s}` })), "540");
  private readonly octaves = slider({ label: "Deepest", min: 1, max: 24, value: 10, say: (o) => `${(2 ** o).toLocaleString("en")}×` });
  private readonly centre = choice(
    "Zooms into",
    [
      { value: "best", label: "Best place" },
      { value: "view", label: "Middle of my view" },
    ],
    "best",
  );
  private readonly movie = h("div", { class: "movie" });

  /** view: shows the scene. best: whether scenes know a place in which they repeat. */
  constructor(
    private readonly view: ZoomView,
    best: boolean,
  ) {
    if (!best) this.centre.value = "view";
    const button = (label: string, path: string, run: () => void): HTMLElement =>
      h("button", { onclick: run }, icon(path), label);
    this.element = h(
      "div",
      { class: "exports", hidden: true },
      details("Save a picture", [
        h("div", { class: "row" }, this.width.element, button("Save this view", ICONS.download, () => void this.saveView())),
        h("div", { class: "row" }, this.paper.element, button("Save all of it", ICONS.download, () => void this.saveWhole())),
        this.saved,
      ]),
      details("Make a movie", [
        this.seconds.element,
        this.octaves.element,
        this.side.element,
        best ? this.centre.element : h("p", { class: "hint" }, "It zooms from the whole picture to the middle of your view."),
        button("Make the movie", ICONS.movie, () => void this.makeMovie()),
        this.movie,
      ]),
      this.bar,
    );
  }

  /** Another scene, or none; what was made of the old one goes. */
  reset(): void {
    this.bar.replace();
    this.saved.replaceChildren();
    this.movie.replaceChildren();
    toggle(this.element, this.view.scene !== null);
  }

  private async saveView(): Promise<void> {
    const [wide, high] = this.view.viewSize;
    const { centre, factor } = this.view.look;
    const width = this.width.value;
    const height = Math.max(1, Math.round((width * high) / wide));
    await this.save({ centre, scale: (factor * width) / wide, width, height });
  }

  private async saveWhole(): Promise<void> {
    const scene = this.view.scene;
    if (!scene) return;
    const paper = PAPERS.find((p) => p.value === this.paper.value);
    const longest = Math.max(scene.width, scene.height);
    const limit = workspace.about?.limits.pixels ?? Infinity;
    const wanted = (paper?.side ?? longest) / longest;
    const scale = Math.min(wanted, Math.sqrt(limit / (scene.width * scene.height)));
    await this.save({
      centre: [0.5, 0.5],
      scale,
      width: Math.floor(scene.width * scale),
      height: Math.floor(scene.height * scale),
    });
  }

  private async save(settings: Settings): Promise<void> {
    const scene = this.view.scene;
    if (!scene) return;
    this.saved.replaceChildren();
    const made = await this.bar.run("view", workspace.picture?.id ?? null, { scene: scene.scene, ...settings });
    if (!made || this.view.scene !== scene) return;
    const link = downloadLink(made);
    this.saved.replaceChildren(link, h("p", { class: "hint" }, dimensions(made.width, made.height)));
    link.click();
  }

  private async makeMovie(): Promise<void> {
    const scene = this.view.scene;
    if (!scene) return;
    this.movie.replaceChildren();
    const settings: Settings = {
      scene: scene.scene,
      factor: 2 ** this.octaves.value,
      seconds: this.seconds.value,
      fps: 24,
      side: Number(this.side.value),
    };
    if (this.centre.value === "view") settings.centre = this.view.look.centre.map(within);
    const made = await this.bar.run("movie", workspace.picture?.id ?? null, settings);
    if (!made || this.view.scene !== scene) return;
    const video = h("video", {
      src: fileUrl("results", made.id),
      controls: true,
      loop: true,
      playsinline: true,
      "aria-label": "The movie of the zoom",
    });
    video.muted = true;
    this.movie.replaceChildren(video, downloadLink(made));
    reveal(this.movie);
  }
}

const within = (share: number): number => Math.min(1, Math.max(0, share));

export function downloadLink(result: Result): HTMLAnchorElement {
  return h(
    "a",
    { class: "button primary", href: fileUrl("results", result.id), download: result.name },
    icon(ICONS.download),
    `Save ${result.name}`,
    result.bytes ? h("small", {}, size(result.bytes)) : null,
  );
}

export function details(summary: string, children: HTMLElement[]): HTMLElement {
  return h("details", { class: "card fold" }, h("summary", {}, summary), h("div", { class: "fold-body" }, ...children));
}
