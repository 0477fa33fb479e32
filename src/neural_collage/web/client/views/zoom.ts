// Zoom: into a picture, a .clg file or a result, as deep as there is something to see.

import { amend } from "../core/address";
import { result as fetchResult } from "../core/api";
import { h, icon } from "../core/dom";
import type { Result } from "../core/types";
import { workspace } from "../core/workspace";
import { type Field, choice } from "../parts/fields";
import { ExportPanel } from "../parts/export-panel";
import { ICONS } from "../parts/icons";
import { JobBar } from "../parts/job-bar";
import { report, tell } from "../parts/notices";
import { type Look, ZoomView } from "../parts/zoom-view";
import type { View } from "./view";

const KINDS = [
  { value: "copies", label: "Copies of itself", hint: "Every spot becomes the whole picture again, without end." },
  { value: "neural", label: "As a photo", hint: "A network describes it; edges stay sharp for a while, then it softens." },
  { value: "fractal", label: "As a classic fractal", hint: "Parts of the picture describe its other parts; texture goes on growing." },
];

/** "x,y" and a factor, as addresses carry them. */
export function parseLook(query: URLSearchParams): Look | null {
  const [x = NaN, y = NaN] = (query.get("c") ?? "").split(",").map(Number);
  const factor = Number(query.get("z"));
  return Number.isFinite(x) && Number.isFinite(y) && factor > 0 ? { centre: [x, y], factor } : null;
}

export function lookQuery({ centre, factor }: Look): Record<string, string> {
  const digits = Math.min(12, 4 + Math.max(0, Math.ceil(Math.log10(Math.max(1, factor)))));
  return {
    c: centre.map((n) => Number(n.toFixed(digits))).join(","),
    z: String(Number(factor.toPrecision(5))),
  };
}

export class ZoomPage implements View {
  readonly element: HTMLElement;
  private readonly view = new ZoomView();
  private readonly bar = new JobBar();
  private readonly kind: Field<string>;
  private readonly exports = new ExportPanel(this.view, false);
  private readonly clg = h("p", { class: "hint" });
  private readonly link = h("button", { class: "quiet", onclick: () => void this.copyLink() }, icon(ICONS.link), "Copy the link to this view");
  private shown = ""; // which picture or result, as what

  constructor() {
    this.kind = choice("What it becomes below its pixels", KINDS, "copies", () => void this.make(null));
    this.view.addEventListener("look", () => amend(lookQuery(this.view.look)));
    this.element = h(
      "div",
      { class: "workspace zoom" },
      h("div", { class: "stage" }, this.view, this.bar),
      h(
        "div",
        { class: "panel" },
        h("section", { class: "card", "aria-label": "What is zoomed" }, this.kind.element, this.clg, this.link),
        this.exports.element,
      ),
    );
  }

  enter(query: URLSearchParams): void {
    const { picture } = workspace;
    const made = query.get("r");
    const look = parseLook(query);
    const of = query.get("of");
    if (of && KINDS.some((k) => k.value === of)) this.kind.value = of;
    if (made) {
      void this.openResult(made, look, Number(query.get("i") ?? -1));
      return;
    }
    if (!picture) return;
    const isClg = picture.kind === "clg";
    this.kind.element.hidden = isClg;
    this.clg.textContent = isClg ? `${picture.name} is drawn at every scale from its own map.` : "";
    if (this.key() !== this.shown || !this.view.scene) void this.make(look);
    else if (look) this.view.look = look;
    amend({ p: picture.id, of: isClg ? null : this.kind.value });
  }

  private key(): string {
    return `${workspace.picture?.id}/${workspace.picture?.kind === "clg" ? "clg" : this.kind.value}`;
  }

  private async make(look: Look | null): Promise<void> {
    const { picture } = workspace;
    if (!picture) return;
    const of = picture.kind === "clg" ? "clg" : this.kind.value;
    const key = this.key();
    this.shown = key;
    this.view.open(null);
    this.exports.reset();
    amend({ of: of === "clg" ? null : of, r: null, i: null, ...(look ? {} : { c: null, z: null }) });
    const made = await this.bar.run("scene", picture.id, { of }, {
      onPart: (part) => {
        if (this.shown === key) this.show(part, look);
      },
    });
    if (this.shown !== key) return;
    if (made) this.show(made, look);
    else this.shown = "";
  }

  /** Zoom into a result of another view; index: of one of its drawings. */
  private async openResult(id: string, look: Look | null, index: number): Promise<void> {
    const key = `result ${id} ${index}`;
    this.kind.element.hidden = true;
    this.clg.textContent = "";
    if (this.shown === key) {
      if (look) this.view.look = look;
      return;
    }
    this.shown = key;
    try {
      const made = await fetchResult(id);
      const drawing = made.scenes?.[index];
      if (this.shown === key) this.show(drawing ? { ...made, scene: drawing } : made, look);
    } catch (error) {
      this.shown = "";
      report(error);
    }
  }

  private show(made: Result, look: Look | null): void {
    const { scene, pyramid } = made;
    if (!scene || !pyramid) return;
    this.view.open({ scene, ...pyramid }, look);
    this.exports.reset();
  }

  private async copyLink(): Promise<void> {
    amend(lookQuery(this.view.look));
    try {
      await navigator.clipboard.writeText(location.href);
      tell("The link is copied. It works in this browser while the studio is open.", [], "note");
    } catch {
      tell("The browser does not allow copying: take the address from its bar.", [], "note");
    }
  }

  leave(): void {
    this.bar.replace();
  }
}
