// What the server sends; see the endpoints under /api.

export interface Picture {
  id: string;
  name: string;
  width: number;
  height: number;
  alpha: boolean;
  bytes: number;
  kind: "picture" | "clg";
  notes: string[];
}

/** A scene as Deep Zoom tiles; see `web.tiles`. */
export interface Pyramid {
  width: number;
  height: number;
  tile: number;
  base_level: number;
  deepest_level: number;
  /** The scale beyond which nothing new appears; null if there is always more. */
  deepest: number | null;
}

/** What a job made. `psnr` is null for exact pixels, absent where nothing was compared (yet). */
export interface Result {
  id: string;
  name: string;
  /** Absent where the file is written when it is asked for. */
  bytes?: number;
  width: number;
  height: number;
  bpp?: number;
  saved?: number;
  psnr?: number | null;
  ssimulacra2?: number | null;
  quality?: number;
  scene?: string;
  pyramid?: Pyramid | null;
  /** Of a sheet of drawings, one each. */
  scenes?: string[];
  seconds?: number;
}

export interface Progress {
  share: number | null;
  seconds_left: number | null;
  text: string;
}

export interface Example {
  id: string;
  title: string;
  text: string;
  thumb: string;
  view: string;
  settings: Record<string, string | number | boolean>;
}

export interface Format {
  id: string;
  label: string;
}

export interface StyleChoice {
  id: string;
  title: string;
  thumb: string;
}

export interface Preset {
  id: string;
  title: string;
  settings: Settings;
}

export interface Model {
  id: string;
  title: string;
  text: string;
  /** Whether it writes texts, as well as drawing at random. */
  writes: boolean;
}

export interface About {
  version: string;
  limits: { bytes: number; pixels: number; offer_pixels: number };
  formats: Format[];
  examples: Example[];
  styles: StyleChoice[];
  presets?: Record<string, Preset[]>;
  models: Model[];
}

export type JobKind =
  | "encode"
  | "score"
  | "scene"
  | "fractalize"
  | "stylize"
  | "movie"
  | "restore"
  | "morph"
  | "draw"
  | "view";

/** What a job measured of a result. */
export interface Score {
  ssimulacra2: number | null;
  /** Whether only a window in the middle was measured. */
  window: boolean;
}

export type Settings = Record<string, unknown>;

/** Left, top, width and height in pixels of the picture. */
export type Region = [x: number, y: number, width: number, height: number];
