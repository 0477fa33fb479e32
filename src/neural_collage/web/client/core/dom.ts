// Elements without a framework: `h("p", { class: "hint" }, "text")`.

type Child = Node | string | null | undefined | false;
type Value = string | number | boolean | null | undefined | ((event: never) => void);

/** An element with attributes, listeners (`onclick`) and children; false and null are left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value as EventListener);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((c): c is Node | string => Boolean(c)));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** A decorative icon of 24 x 24 units, drawn in the colour of the text. */
export function icon(path: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({
    viewBox: "0 0 24 24",
    class: "icon",
    "aria-hidden": "true",
    focusable: "false",
  })) {
    svg.setAttribute(name, value);
  }
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

let ids = 0;

/** An id for a label and its control. */
export function newId(): string {
  ids += 1;
  return `f${ids}`;
}

/** Shows an element or hides it. */
export function toggle(element: HTMLElement, visible: boolean): void {
  element.hidden = !visible;
}

export const prefersStill = (): boolean =>
  matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Scrolls an element into view where the layout is a single column. */
export function reveal(element: HTMLElement): void {
  if (!matchMedia("(max-width: 899px)").matches) return;
  element.scrollIntoView({ behavior: prefersStill() ? "auto" : "smooth", block: "start" });
}

/** The function, called once after calls have paused for some milliseconds. */
export function debounced<A extends unknown[]>(
  wait: number,
  run: (...values: A) => void,
): (...values: A) => void {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => run(...values), wait);
  };
}
