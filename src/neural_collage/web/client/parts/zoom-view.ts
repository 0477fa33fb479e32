// A scene that is zoomed without end, by OpenSeadragon with controls of our own.

import OpenSeadragon from "openseadragon";
import { h, icon, prefersStill } from "../core/dom";
import { onScreen, times } from "../core/format";
import type { Pyramid } from "../core/types";
import { ICONS } from "./icons";

const STEP = 1.5;
const PAN = 0.2; // of the view, by an arrow key
const SECONDS = 0.5; // of an animation

export interface SceneInfo extends Pyramid {
  scene: string;
}

/** What is seen: the middle as parts of width and height, and screen pixels per pixel. */
export interface Look {
  centre: [x: number, y: number];
  factor: number;
}

export class ZoomView extends HTMLElement {
  private readonly host = h("div", {
    class: "surface",
    tabindex: "0",
    role: "application",
    "aria-label": "Zoom without end. Plus and minus zoom, arrow keys move, 0 shows the whole.",
  });
  private readonly words = h("p", { class: "scale-words" });
  private readonly factorText = h("output", { class: "scale-text", role: "status", "aria-live": "off" });
  private readonly waiting = h("p", { class: "stage-note", hidden: true, role: "status" });
  private viewer: OpenSeadragon.Viewer | null = null;
  private info: SceneInfo | null = null;
  private wanted: Look | null = null;

  connectedCallback(): void {
    if (this.childElementCount) {
      if (this.info) this.open(this.info, this.wanted);
      return;
    }
    const button = (label: string, path: string, run: () => void): HTMLElement =>
      h("button", { class: "square", "aria-label": label, title: label, onclick: run }, icon(path));
    const tools = h(
      "div",
      { class: "stage-tools", role: "group", "aria-label": "Zoom" },
      button("Zoom out", ICONS.minus, () => this.zoomBy(1 / STEP)),
      this.factorText,
      button("Zoom in", ICONS.plus, () => this.zoomBy(STEP)),
      button("Show the whole picture", ICONS.whole, () => this.home()),
    );
    this.append(this.host, this.words, this.waiting, tools);
    this.host.addEventListener("keydown", (event) => this.key(event));
  }

  /** Out of the page: a viewer that measures a size of nothing loses its view. */
  disconnectedCallback(): void {
    if (!this.info) return;
    this.wanted = this.look;
    this.viewer?.destroy();
    this.viewer = null;
  }

  get scene(): SceneInfo | null {
    return this.info;
  }

  /** Show a scene, at a look or as a whole; null shows nothing. */
  open(info: SceneInfo | null, look: Look | null = null): void {
    this.info = info;
    this.wanted = look;
    this.viewer?.destroy();
    this.viewer = null;
    this.host.replaceChildren();
    this.words.textContent = "";
    this.factorText.textContent = "";
    this.waiting.hidden = true;
    delete this.dataset.loaded;
    if (!info) return;
    const largest = 2 ** (info.deepest_level - info.base_level);
    this.viewer = OpenSeadragon({
      element: this.host,
      showNavigationControl: false,
      showNavigator: true,
      navigatorPosition: "TOP_RIGHT",
      navigatorSizeRatio: 0.18,
      navigatorAutoFade: false,
      tabIndex: -1,
      maxZoomPixelRatio: 2,
      minZoomImageRatio: 0.8,
      visibilityRatio: 0.6,
      zoomPerScroll: 1.25,
      zoomPerClick: STEP * STEP,
      animationTime: prefersStill() ? 0 : SECONDS,
      springStiffness: 8,
      imageLoaderLimit: 4,
      tileRetryMax: 8,
      tileRetryDelay: 1200,
      timeout: 60_000,
      drawer: "canvas",
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: true, flickEnabled: !prefersStill() },
      tileSources: {
        width: info.width * largest,
        height: info.height * largest,
        tileSize: info.tile,
        minLevel: 0,
        maxLevel: info.deepest_level,
        getTileUrl: (level: number, x: number, y: number) =>
          `/tiles/${info.scene}/${level}/${x}_${y}.jpg`,
      } as unknown as OpenSeadragon.TileSourceOptions,
    });
    this.bind(this.viewer);
  }

  private bind(viewer: OpenSeadragon.Viewer): void {
    viewer.addHandler("open", () => {
      for (const part of this.host.querySelectorAll<HTMLElement>("[tabindex='0']")) part.tabIndex = -1;
      this.host.querySelector(".navigator")?.setAttribute("aria-hidden", "true");
      if (this.wanted) this.look = this.wanted;
      this.update();
      this.dataset.open = "true";
      viewer.world.getItemAt(0)?.addHandler("fully-loaded-change", ({ fullyLoaded }) => {
        this.dataset.loaded = String(fullyLoaded);
        if (fullyLoaded) this.waiting.hidden = true;
      });
    });
    viewer.addHandler("canvas-key", (event) => {
      event.preventDefaultAction = true; // keys are handled by the surface
    });
    viewer.addHandler("animation", () => this.update());
    viewer.addHandler("animation-finish", () => {
      this.update();
      this.dispatchEvent(new Event("look"));
    });
    viewer.addHandler("tile-load-failed", () => {
      this.waiting.textContent = "A part is late; it is asked for again.";
      this.waiting.hidden = false;
    });
  }

  get look(): Look {
    const viewport = this.viewer?.viewport;
    if (!viewport || !this.info) return { centre: [0.5, 0.5], factor: 1 };
    const { x, y } = viewport.getCenter(false);
    const { width, height } = this.info;
    return {
      centre: [x, (y * width) / height],
      factor: (viewport.getZoom(false) * viewport.getContainerSize().x) / width,
    };
  }

  set look({ centre, factor }: Look) {
    this.wanted = { centre, factor };
    const viewport = this.viewer?.viewport;
    if (!viewport || !this.info) return;
    const { width, height } = this.info;
    viewport.zoomTo((factor * width) / viewport.getContainerSize().x, undefined, true);
    viewport.panTo(new OpenSeadragon.Point(centre[0], (centre[1] * height) / width), true);
  }

  /** CSS pixels of the view. */
  get viewSize(): [width: number, height: number] {
    return [this.host.clientWidth, this.host.clientHeight];
  }

  private zoomBy(factor: number): void {
    const viewport = this.viewer?.viewport;
    viewport?.zoomBy(factor);
    viewport?.applyConstraints();
  }

  private home(): void {
    this.viewer?.viewport.goHome();
  }

  private panBy(x: number, y: number): void {
    const viewport = this.viewer?.viewport;
    if (!viewport) return;
    const { width, height } = viewport.getBounds(false);
    viewport.panBy(new OpenSeadragon.Point(x * width * PAN, y * height * PAN));
    viewport.applyConstraints();
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const run: Record<string, () => void> = {
      "+": () => this.zoomBy(STEP),
      "=": () => this.zoomBy(STEP),
      "-": () => this.zoomBy(1 / STEP),
      "0": () => this.home(),
      Home: () => this.home(),
      ArrowLeft: () => this.panBy(-1, 0),
      ArrowRight: () => this.panBy(1, 0),
      ArrowUp: () => this.panBy(0, -1),
      ArrowDown: () => this.panBy(0, 1),
    };
    const action = run[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  private update(): void {
    const viewport = this.viewer?.viewport;
    if (!viewport || !this.info) return;
    const factor = (viewport.getZoom(true) * viewport.getContainerSize().x) / this.info.width;
    const home = viewport.getHomeZoom();
    this.factorText.textContent = times(factor);
    this.dataset.factor = String(factor);
    // a swipe over a picture that is shown whole scrolls the page
    this.toggleAttribute("at-home", viewport.getZoom(false) <= home * 1.01);
    this.words.textContent = this.say(factor);
  }

  private say(factor: number): string {
    const { width = 1, deepest = null } = this.info ?? {};
    if (deepest !== null && factor > deepest * 1.5) {
      return `Nothing new comes beyond ${times(deepest)}: from here on, it only becomes softer.`;
    }
    if (factor < 2) return "";
    return `The whole picture would now be ${onScreen(width * factor)} wide.`;
  }
}

customElements.define("zoom-view", ZoomView);
