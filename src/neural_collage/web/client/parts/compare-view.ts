// Two versions of a picture at one place, with a line between them that can be moved.

import { debounced, h, icon } from "../core/dom";
import { times } from "../core/format";
import type { Region } from "../core/types";
import { ICONS } from "./icons";
import { PanZoom, STEP } from "./pan-zoom";
import type { Layer, Pixels } from "./pixels";

export type SideName = "left" | "right";

interface Side {
  pixels: Pixels | null;
  /** A window with newer settings, above older pixels. */
  preview: Layer | null;
  label: HTMLElement;
}

export class CompareView extends HTMLElement {
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly surface = h("div", {
    class: "surface",
    tabindex: "0",
    role: "application",
    "aria-label": "Two versions of the picture. Plus and minus zoom, arrow keys move, 0 shows the whole, 1 shows its pixels.",
  });
  private readonly handle = h("div", {
    class: "divider",
    tabindex: "0",
    role: "slider",
    "aria-label": "Line between left and right",
    "aria-valuemin": "0",
    "aria-valuemax": "100",
  });
  private readonly scaleText = h("output", { class: "scale-text" });
  private readonly sides: Record<SideName, Side> = {
    left: { pixels: null, preview: null, label: h("span", { class: "side-label left" }) },
    right: { pixels: null, preview: null, label: h("span", { class: "side-label right" }) },
  };
  private readonly panZoom = new PanZoom(this.surface, () => this.moved());
  private split = 0.5;
  private frame = 0;
  private board: CanvasPattern | null = null;
  private readonly settled = debounced(180, () => {
    this.refine();
    this.dispatchEvent(new Event("view"));
  });

  connectedCallback(): void {
    if (this.childElementCount) return;
    const button = (label: string, path: string, run: () => void): HTMLElement =>
      h("button", { class: "square", "aria-label": label, title: label, onclick: run }, icon(path));
    const tools = h(
      "div",
      { class: "stage-tools", role: "group", "aria-label": "Zoom" },
      button("Zoom out", ICONS.minus, () => this.panZoom.zoomAt(1 / STEP)),
      this.scaleText,
      button("Zoom in", ICONS.plus, () => this.panZoom.zoomAt(STEP)),
      button("Show the whole picture", ICONS.whole, () => this.panZoom.fit()),
      h("button", { onclick: () => this.panZoom.actualSize(), title: "One pixel of the picture is one of the screen" }, "1:1"),
    );
    this.append(this.surface, this.sides.left.label, this.sides.right.label, this.handle, tools);
    this.surface.append(this.canvas);
    this.surface.addEventListener("keydown", (event) => this.panZoom.key(event));
    this.bindHandle();
    new ResizeObserver(() => {
      if (!this.surface.clientWidth) return;
      if (this.panZoom.fitted) this.panZoom.fit();
      else this.moved();
    }).observe(this.surface);
    this.moveSplit(this.split);
  }

  /** Show pixels on a side; null empties it. The pixels before are closed. */
  show(side: SideName, pixels: Pixels | null): void {
    const old = this.sides[side];
    if (old.pixels !== pixels) old.pixels?.close();
    old.pixels = pixels;
    this.preview(side, null);
    this.draw();
    if (pixels) this.settled();
  }

  /** Show a window of newer settings above what a side shows; null removes it. */
  preview(side: SideName, layer: Layer | null): void {
    this.sides[side].preview?.image.close();
    this.sides[side].preview = layer;
    this.draw();
  }

  label(side: SideName, text: string, stale = false): void {
    const { label } = this.sides[side];
    label.textContent = text;
    label.toggleAttribute("data-stale", stale);
  }

  /** The size of the picture on both sides. */
  size(width: number, height: number): void {
    this.panZoom.resize(width, height);
  }

  visible(): Region {
    return this.panZoom.visible();
  }

  /** The part of `visible` on a side of the line. */
  visibleOf(side: SideName): Region {
    const [x, y, w, high] = this.visible();
    const { scale, left } = this.panZoom.placement;
    const line = Math.min(x + w, Math.max(x, (this.split * this.surface.clientWidth - left) / scale));
    return side === "left" ? [x, y, line - x, high] : [line, y, x + w - line, high];
  }

  /** "x,y,scale,line" for addresses. */
  get view(): string {
    if (this.panZoom.fitted && this.split === 0.5) return "";
    const [x, y, w, h] = this.panZoom.visible();
    const scale = this.panZoom.fitted ? 0 : this.panZoom.placement.scale;
    return [x + w / 2, y + h / 2, scale, this.split].map((n) => Number(n.toFixed(3))).join(",");
  }

  set view(text: string) {
    const [x, y, scale, split] = text.split(",").map(Number);
    if (![x, y, scale, split].every(Number.isFinite)) return;
    this.moveSplit(split ?? 0.5);
    if (!scale) {
      this.panZoom.fit();
      return;
    }
    this.panZoom.zoomAt(scale / this.panZoom.placement.scale);
    const { left, top, scale: now } = this.panZoom.placement;
    this.panZoom.pan(
      this.surface.clientWidth / 2 - (x ?? 0) * now - left,
      this.surface.clientHeight / 2 - (y ?? 0) * now - top,
    );
  }

  private bindHandle(): void {
    this.handle.append(h("span", { class: "grip" }));
    const follow = (event: PointerEvent): void => {
      if (!this.handle.hasPointerCapture(event.pointerId)) return;
      const box = this.surface.getBoundingClientRect();
      this.moveSplit((event.clientX - box.left) / box.width);
    };
    this.handle.addEventListener("pointerdown", (event) => {
      this.handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      this.handle.focus({ preventScroll: true });
    });
    this.handle.addEventListener("pointermove", follow);
    this.handle.addEventListener("pointerup", () => this.settled());
    this.handle.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.1 : 0.02;
      const to: Record<string, number> = {
        ArrowLeft: this.split - step,
        ArrowDown: this.split - step,
        ArrowRight: this.split + step,
        ArrowUp: this.split + step,
        PageDown: this.split - 0.1,
        PageUp: this.split + 0.1,
        Home: 0,
        End: 1,
      };
      const wanted = to[event.key];
      if (wanted === undefined) return;
      event.preventDefault();
      this.moveSplit(wanted);
      this.settled();
    });
  }

  private moveSplit(share: number): void {
    this.split = Math.min(1, Math.max(0, share));
    this.style.setProperty("--split", `${this.split * 100}%`);
    this.handle.setAttribute("aria-valuenow", String(Math.round(this.split * 100)));
    this.handle.setAttribute("aria-valuetext", `${Math.round(this.split * 100)} % left`);
    this.draw();
  }

  private moved(): void {
    this.scaleText.textContent =
      this.panZoom.placement.scale * devicePixelRatio < 10
        ? `${Math.round(this.panZoom.placement.scale * devicePixelRatio * 100)} %`
        : times(this.panZoom.placement.scale * devicePixelRatio);
    this.draw();
    this.settled();
  }

  private refine(): void {
    const scale = this.panZoom.placement.scale * devicePixelRatio;
    for (const { pixels } of Object.values(this.sides)) pixels?.refine(this.visible(), scale);
  }

  /** Draw in the next frame. */
  draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    const { clientWidth, clientHeight } = this.surface;
    const ratio = devicePixelRatio;
    const [wide, high] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      [this.canvas.width, this.canvas.height] = [wide, high];
    }
    const context = this.canvas.getContext("2d");
    if (!context || !wide || !high) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, wide, high);
    const line = this.split * wide;
    this.paintSide(context, "left", 0, line, high);
    this.paintSide(context, "right", line, wide - line, high);
    this.dataset.ready = String(Object.values(this.sides).every((s) => s.pixels?.ready));
  }

  /** A checkerboard where the picture lies, seen where it is transparent. */
  private paintBoard(context: CanvasRenderingContext2D): void {
    const [width, height] = this.panZoom.size;
    const { scale, left, top } = this.panZoom.placement;
    const ratio = devicePixelRatio;
    this.board ??= context.createPattern(checkerboard(8 * ratio), "repeat");
    context.fillStyle = this.board ?? "#ccc";
    context.fillRect(left * ratio, top * ratio, width * scale * ratio, height * scale * ratio);
  }

  private paintSide(
    context: CanvasRenderingContext2D,
    name: SideName,
    from: number,
    wide: number,
    high: number,
  ): void {
    const { pixels, preview } = this.sides[name];
    if (!pixels && !preview) return;
    const { scale, left, top } = this.panZoom.placement;
    const ratio = devicePixelRatio;
    context.save();
    context.beginPath();
    context.rect(from, 0, wide, high);
    context.clip();
    if (this.hasAttribute("alpha")) this.paintBoard(context);
    context.setTransform(scale * ratio, 0, 0, scale * ratio, left * ratio, top * ratio);
    context.imageSmoothingEnabled = scale * ratio < 3.5;
    context.imageSmoothingQuality = "high";
    pixels?.draw(context);
    if (preview) {
      if (!this.hasAttribute("alpha")) context.clearRect(...preview.region);
      context.drawImage(preview.image, ...preview.region);
    }
    context.restore();
  }
}

function checkerboard(side: number): HTMLCanvasElement {
  const canvas = h("canvas", { width: 2 * side, height: 2 * side });
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, 2 * side, 2 * side);
  context.fillStyle = "#d4d4d4";
  context.fillRect(0, 0, side, side);
  context.fillRect(side, side, side, side);
  return canvas;
}

customElements.define("compare-view", CompareView);
