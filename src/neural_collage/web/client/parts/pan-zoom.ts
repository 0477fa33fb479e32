// Where a picture lies on a canvas, and the gestures and keys that move it.

import type { Region } from "../core/types";

/** The factor of a key or a button. */
export const STEP = 1.5;
const CLOSEST = 32; // screen pixels per pixel
const ENLARGED = 3; // of small pictures that are shown whole

export interface Placement {
  /** CSS pixels per pixel of the picture. */
  scale: number;
  /** The corner of the picture in CSS pixels. */
  left: number;
  top: number;
}

export class PanZoom {
  placement: Placement = { scale: 1, left: 0, top: 0 };
  fitted = true;
  private width = 1;
  private height = 1;
  private readonly pointers = new Map<number, PointerEvent>();

  /** element: takes pointers and the wheel. onChange: called after each movement. */
  constructor(
    private readonly element: HTMLElement,
    private readonly onChange: () => void,
    private readonly paddingBottom = 0,
  ) {
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    element.addEventListener("pointerdown", (event) => this.down(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"] as const) {
      element.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    }
    element.addEventListener("dblclick", (event) => this.zoomAt(STEP * STEP, ...this.at(event)));
  }

  get size(): [width: number, height: number] {
    return [this.width, this.height];
  }

  /** A picture of another size, shown whole. */
  resize(width: number, height: number): void {
    const same = width === this.width && height === this.height;
    [this.width, this.height] = [width, height];
    if (!same || this.fitted) this.fit();
    else this.moved();
  }

  /** Show the whole; small pictures enlarged a little. */
  fit(): void {
    const { clientWidth, clientHeight } = this.element;
    const room = Math.min(clientWidth / this.width, (clientHeight - this.paddingBottom) / this.height);
    const scale = Math.min(room, ENLARGED);
    this.placement = {
      scale: scale || 1,
      left: (clientWidth - this.width * scale) / 2,
      top: (clientHeight - this.paddingBottom - this.height * scale) / 2,
    };
    this.fitted = true;
    this.moved();
  }

  /** Zoom by a factor about a point of the view, its middle by default. */
  zoomAt(
    factor: number,
    x = this.element.clientWidth / 2,
    y = this.element.clientHeight / 2,
  ): void {
    const { scale, left, top } = this.placement;
    const least = Math.min(1, this.element.clientWidth / this.width / 2, this.element.clientHeight / this.height / 2);
    const next = Math.min(CLOSEST, Math.max(least, scale * factor));
    const ratio = next / scale;
    this.placement = { scale: next, left: x - (x - left) * ratio, top: y - (y - top) * ratio };
    this.fitted = false;
    this.moved();
  }

  /** Screen pixels are pixels of the picture. */
  actualSize(): void {
    this.zoomAt(1 / (this.placement.scale * devicePixelRatio));
  }

  pan(x: number, y: number): void {
    this.placement.left += x;
    this.placement.top += y;
    this.fitted = false;
    this.moved();
  }

  /** Whether the key was one that moves or zooms. */
  key(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const far = Math.min(this.element.clientWidth, this.element.clientHeight) / 8;
    const run: Record<string, () => void> = {
      "+": () => this.zoomAt(STEP),
      "=": () => this.zoomAt(STEP),
      "-": () => this.zoomAt(1 / STEP),
      "0": () => this.fit(),
      "1": () => this.actualSize(),
      ArrowLeft: () => this.pan(far, 0),
      ArrowRight: () => this.pan(-far, 0),
      ArrowUp: () => this.pan(0, far),
      ArrowDown: () => this.pan(0, -far),
    };
    const action = run[event.key];
    if (!action) return false;
    event.preventDefault();
    action();
    return true;
  }

  /** The visible part in pixels of the picture. */
  visible(): Region {
    const { scale, left, top } = this.placement;
    const x0 = Math.max(0, -left / scale);
    const y0 = Math.max(0, -top / scale);
    const x1 = Math.min(this.width, (this.element.clientWidth - left) / scale);
    const y1 = Math.min(this.height, (this.element.clientHeight - top) / scale);
    return [x0, y0, Math.max(0, x1 - x0), Math.max(0, y1 - y0)];
  }

  private moved(): void {
    const { scale } = this.placement;
    const [wide, high] = [this.width * scale, this.height * scale];
    const keep = 60; // CSS pixels of the picture that stay in view
    this.placement.left = Math.min(this.element.clientWidth - keep, Math.max(keep - wide, this.placement.left));
    this.placement.top = Math.min(this.element.clientHeight - keep, Math.max(keep - high, this.placement.top));
    // a swipe over a picture that is shown whole scrolls the page
    this.element.style.touchAction = this.fitted ? "pan-y" : "none";
    this.onChange();
  }

  private at(event: MouseEvent): [number, number] {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.002; // pinches of a touchpad come as small steps
    this.zoomAt(Math.exp(-event.deltaY * lines * speed), ...this.at(event));
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.element.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
  }

  private move(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const others = [...this.pointers.values()].filter((p) => p.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    const other = others[0];
    if (!other) {
      this.pan(event.clientX - before.clientX, event.clientY - before.clientY);
      return;
    }
    const distance = (p: PointerEvent): number =>
      Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
    const box = this.element.getBoundingClientRect();
    const middle = [
      (event.clientX + other.clientX) / 2 - box.left,
      (event.clientY + other.clientY) / 2 - box.top,
    ] as const;
    this.pan((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
    this.zoomAt(distance(event) / Math.max(1, distance(before)), ...middle);
  }
}
