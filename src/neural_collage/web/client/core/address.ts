// The address of a view and its settings: `#/compress?p=...&q=50`.
// A view pushes an entry of the history, a setting replaces it.

export const VIEWS = [
  "start",
  "compress",
  "zoom",
  "fractalize",
  "stylize",
  "restore",
  "morph",
  "draw",
] as const;
export type ViewName = (typeof VIEWS)[number];

export interface Address {
  view: ViewName;
  query: URLSearchParams;
}

type Listener = (address: Address) => void;
let listener: Listener = () => undefined;

/** The address of a hash; anything unknown is the start. */
export function parse(hash: string): Address {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const view = VIEWS.find((name) => name === path) ?? "start";
  return { view, query: new URLSearchParams(query) };
}

export function format({ view, query }: Address): string {
  // commas and slashes are safe in a fragment, and easier to read
  const text = query.toString().replaceAll("%2C", ",");
  return `#/${view}${text ? `?${text}` : ""}`;
}

export const current = (): Address => parse(location.hash);

/** Open a view as a new entry of the history. */
export function go(view: ViewName, query: URLSearchParams | Record<string, string> = {}): void {
  const address = { view, query: new URLSearchParams(query) };
  const hash = format(address);
  if (hash !== location.hash) history.pushState(null, "", hash);
  listener(address);
}

/** Put settings of the view that is open into its address; null removes one. */
export function amend(settings: Record<string, string | number | null>): void {
  const address = current();
  for (const [name, value] of Object.entries(settings)) {
    if (value === null || value === "") address.query.delete(name);
    else address.query.set(name, String(value));
  }
  const hash = format(address);
  if (hash === location.hash) return;
  history.replaceState(null, "", hash);
  window.dispatchEvent(new Event("collage-amended"));
}

/** Follow the address: called at once, and at every change that is not an amendment. */
export function follow(run: Listener): void {
  listener = run;
  window.addEventListener("popstate", () => run(current()));
  run(current());
}
