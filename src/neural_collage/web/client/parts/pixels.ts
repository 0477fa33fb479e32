// Pixels of one side of the compare view: the whole, reduced where it is large, and windows.

import { ApiError, imageUrl } from "../core/api";
import type { Region } from "../core/types";

/** Pictures up to this many pixels are shown whole; larger ones reduced, with windows of them. */
const WHOLE = 6_000_000;
const OVERVIEW = 2048; // pixels of the longer side
const MARGIN = 0.25; // of the window, on each side

export interface Layer {
  image: ImageBitmap;
  /** Where it lies in the picture. */
  region: Region;
}

async function load(url: string, signal: AbortSignal): Promise<ImageBitmap> {
  const response = await fetch(url, { signal });
  if (!response.ok) {
    const body = (await response.json().catch(() => null)) as { error?: string } | null;
    throw new ApiError(body?.error ?? "A picture did not load.", response.status === 410);
  }
  return createImageBitmap(await response.blob());
}

export class Pixels {
  private layers: Layer[] = [];
  private window: Region | null = null;
  private readonly controller = new AbortController();
  private windowController = new AbortController();
  private readonly reduced: boolean;

  /** onChange: called when there is more to draw. */
  constructor(
    private readonly of: "pictures" | "results",
    private readonly id: string,
    readonly width: number,
    readonly height: number,
    private readonly onChange: () => void,
  ) {
    this.reduced = width * height > WHOLE;
  }

  /** Load the whole, again if there is more of it than before; raises ApiError. */
  async open(): Promise<void> {
    const options = this.reduced ? { max: OVERVIEW } : {};
    const image = await load(imageUrl(this.of, this.id, options), this.controller.signal);
    const [old] = this.layers.splice(0, 1, { image, region: [0, 0, this.width, this.height] });
    old?.image.close();
    this.onChange();
  }

  /** Load a window of a picture that was reduced, if the scale shows more than the whole has. */
  refine(visible: Region, scale: number): void {
    const whole = this.layers[0];
    if (!this.reduced || !whole) return;
    if (scale <= (whole.image.width / this.width) * 1.2) return;
    if (this.window && contains(this.window, visible)) return;
    const region = widened(visible, this.width, this.height);
    if (region[2] * region[3] > WHOLE) return;
    this.window = region;
    this.windowController.abort();
    this.windowController = new AbortController();
    void load(imageUrl(this.of, this.id, { region }), this.windowController.signal)
      .then((image) => {
        this.layers.splice(1).forEach((layer) => layer.image.close());
        this.layers.push({ image, region });
        this.onChange();
      })
      .catch(() => {
        if (this.window === region) this.window = null; // the next movement tries again
      });
  }

  draw(context: CanvasRenderingContext2D): void {
    for (const { image, region } of this.layers) context.drawImage(image, ...region);
  }

  get ready(): boolean {
    return this.layers.length > 0;
  }

  close(): void {
    this.controller.abort();
    this.windowController.abort();
    this.layers.splice(0).forEach((layer) => layer.image.close());
  }
}

/** A result that is a window of the picture. */
export async function windowLayer(
  id: string,
  region: Region,
  signal: AbortSignal,
): Promise<Layer> {
  return { image: await load(imageUrl("results", id), signal), region };
}

function contains(outer: Region, inner: Region): boolean {
  return (
    outer[0] <= inner[0] &&
    outer[1] <= inner[1] &&
    outer[0] + outer[2] >= inner[0] + inner[2] &&
    outer[1] + outer[3] >= inner[1] + inner[3]
  );
}

function widened([x, y, w, h]: Region, width: number, height: number): Region {
  const left = Math.max(0, Math.floor(x - w * MARGIN));
  const top = Math.max(0, Math.floor(y - h * MARGIN));
  const right = Math.min(width, Math.ceil(x + w * (1 + MARGIN)));
  const bottom = Math.min(height, Math.ceil(y + h * (1 + MARGIN)));
  return [left, top, right - left, bottom - top];
}
