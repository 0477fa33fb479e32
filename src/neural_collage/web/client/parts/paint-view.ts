// A picture on which areas are painted: strokes as lines, so that undo and any size are exact.

import { imageUrl } from "../core/api";
import { h, icon } from "../core/dom";
import type { Picture } from "../core/types";
import { slider } from "./fields";
import { ICONS } from "./icons";

const SHOWN = 2048; // pixels of the longer side, as the picture is loaded
const COLOUR = "#ff2d78";

interface Stroke {
  width: number;
  points: [x: number, y: number][];
}

export class PaintView extends HTMLElement {
  private picture: Picture | null = null;
  private readonly canvas = h("canvas", {
    tabindex: "0",
    role: "application",
    "aria-label": "Paint over what is to be filled. Arrow keys move the brush, space paints, control and Z takes a stroke back.",
  });
  private readonly brush = slider({
    label: "Brush",
    min: 1,
    max: 100,
    value: 30,
    say: (value) => `${Math.round(this.widthOf(value))} pixels`,
    onInput: () => this.draw(),
  });
  private readonly undoButton = h("button", { onclick: () => this.undo() }, icon(ICONS.undo), "Undo");
  private readonly clearButton = h("button", { onclick: () => this.clear() }, "Clear");
  private image: HTMLImageElement | null = null;
  private strokes: Stroke[] = [];
  private cursor: [x: number, y: number] | null = null;
  private keyboard = false;

  connectedCallback(): void {
    if (this.childElementCount) return;
    const surface = h("div", { class: "surface paint" }, this.canvas);
    const tools = h("div", { class: "stage-tools paint-tools" }, this.brush.element, this.undoButton, this.clearButton);
    this.append(surface, tools);
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", () => this.changed());
    this.canvas.addEventListener("pointerleave", () => {
      if (this.keyboard) return;
      this.cursor = null;
      this.draw();
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.fit()).observe(surface);
    this.changed();
  }

  /** A picture to paint on, without strokes; null for none. */
  open(picture: Picture | null): void {
    this.picture = picture;
    this.strokes = [];
    this.cursor = null;
    this.image = null;
    if (picture) {
      const image = new Image();
      image.src = imageUrl("pictures", picture.id, { max: SHOWN });
      image.onload = () => {
        if (this.picture !== picture) return;
        this.image = image;
        this.fit();
      };
    }
    this.brush.value = this.brush.value; // its words depend on the picture
    this.changed();
  }

  get painted(): boolean {
    return this.strokes.length > 0;
  }

  /** The painted area as a PNG of the size of the picture, white on nothing, in base64. */
  async mask(): Promise<string> {
    const { width = 1, height = 1 } = this.picture ?? {};
    const canvas = h("canvas", { width, height });
    const context = canvas.getContext("2d");
    if (context) this.paintStrokes(context, "#fff");
    return canvas.toDataURL("image/png").split(",")[1] ?? "";
  }

  /** Pixels of the picture across the brush: a part of its shorter side. */
  private get width(): number {
    return this.widthOf(this.brush.value);
  }

  private widthOf(brush: number): number {
    const { width = 1, height = 1 } = this.picture ?? {};
    return Math.max(1, Math.min(width, height) * 0.25 * (brush / 100) ** 1.5);
  }

  private fit(): void {
    const surface = this.canvas.parentElement;
    const { width = 0, height = 0 } = this.picture ?? {};
    if (!surface?.clientWidth || !width) return;
    const scale = Math.min(surface.clientWidth / width, surface.clientHeight / height);
    const [wide, high] = [width * scale, height * scale];
    this.canvas.style.width = `${wide}px`;
    this.canvas.style.height = `${high}px`;
    this.canvas.width = Math.round(wide * devicePixelRatio);
    this.canvas.height = Math.round(high * devicePixelRatio);
    this.draw();
  }

  private draw(): void {
    const context = this.canvas.getContext("2d");
    if (!context || !this.picture) return;
    const { width, height } = this.canvas;
    const scale = width / this.picture.width;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (this.image) context.drawImage(this.image, 0, 0, width, height);
    const layer = h("canvas", { width, height });
    const over = layer.getContext("2d");
    if (over) {
      over.scale(scale, scale);
      this.paintStrokes(over, COLOUR);
      context.globalAlpha = 0.6;
      context.drawImage(layer, 0, 0);
      context.globalAlpha = 1;
    }
    if (!this.cursor) return;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    for (const [colour, wide] of [["#000", 3], ["#fff", 1.5]] as const) {
      context.strokeStyle = colour;
      context.lineWidth = (wide * devicePixelRatio) / scale;
      context.beginPath();
      context.arc(...this.cursor, this.width / 2, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  private paintStrokes(context: CanvasRenderingContext2D, colour: string): void {
    context.strokeStyle = colour;
    context.lineCap = context.lineJoin = "round";
    for (const { width, points } of this.strokes) {
      context.lineWidth = width;
      context.beginPath();
      for (const [index, [x, y]] of points.entries()) {
        if (index) context.lineTo(x, y);
        else context.moveTo(x, y);
      }
      const [first] = points;
      if (points.length === 1 && first) context.lineTo(first[0] + 0.01, first[1]);
      context.stroke();
    }
  }

  private at(event: PointerEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    const scale = (this.picture?.width ?? 1) / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0 || !this.picture) return;
    this.keyboard = false;
    this.canvas.setPointerCapture(event.pointerId);
    this.strokes.push({ width: this.width, points: [this.at(event)] });
    this.draw();
  }

  private move(event: PointerEvent): void {
    if (!this.picture) return;
    this.keyboard = false;
    this.cursor = event.pointerType === "touch" ? null : this.at(event);
    if (this.canvas.hasPointerCapture(event.pointerId)) {
      this.strokes.at(-1)?.points.push(this.at(event));
    }
    this.draw();
  }

  private key(event: KeyboardEvent): void {
    if (!this.picture) return;
    const { width, height } = this.picture;
    if ((event.ctrlKey || event.metaKey) && event.key === "z") {
      event.preventDefault();
      this.undo();
      return;
    }
    const step = this.width / 2;
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
      " ": [0, 0],
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    this.keyboard = true;
    const [x, y] = this.cursor ?? [width / 2, height / 2];
    this.cursor = [
      Math.min(width, Math.max(0, x + move[0])),
      Math.min(height, Math.max(0, y + move[1])),
    ];
    if (event.key === " ") this.strokes.push({ width: this.width, points: [this.cursor] });
    this.changed();
  }

  undo(): void {
    this.strokes.pop();
    this.changed();
  }

  clear(): void {
    this.strokes = [];
    this.changed();
  }

  private changed(): void {
    this.undoButton.disabled = this.clearButton.disabled = !this.painted;
    this.draw();
    this.dispatchEvent(new Event("paint"));
  }
}

customElements.define("paint-view", PaintView);
