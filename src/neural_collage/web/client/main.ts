// The page: tabs, the picture that all views work on, and the view of the address.

import { type Address, type ViewName, amend, current, follow, go } from "./core/address";
import * as api from "./core/api";
import { h, toggle } from "./core/dom";
import { dimensions, size } from "./core/format";
import { keepAlive } from "./parts/alive";
import { workspace } from "./core/workspace";
import { chooseButton, openFile, openNamedExample, watchPage } from "./parts/intake";
import { JobBar } from "./parts/job-bar";
import { noticeRegion, report, tell, whenGone } from "./parts/notices";
import { makeTabs } from "./parts/tabs";
import { CompressView } from "./views/compress";
import { DrawPage } from "./views/draw";
import { FractalizePage } from "./views/fractalize";
import { MorphPage } from "./views/morph";
import { RestorePage } from "./views/restore";
import { StartPage } from "./views/start";
import { StylizePage } from "./views/stylize";
import type { View } from "./views/view";
import { ZoomPage } from "./views/zoom";

const WITHOUT_PICTURE: ViewName[] = ["start", "draw"];

const bar = new JobBar();
const title = h("h1", { class: "unseen" });
const panel = h("div", { id: "view", tabindex: "-1" });
const main = h("main", {}, title, panel);
const empty = h(
  "section",
  { class: "empty", hidden: true },
  h("h2", {}, "Choose a picture first"),
  h("p", {}, "Drop one anywhere, paste it, or choose it. All tabs then work on it."),
  chooseButton("Choose a picture", "primary large", (file) => void take(file)),
  h("a", { class: "button", href: "#/start" }, "See the examples"),
);
const chip = h("div", { class: "chip" });
const makers: Record<ViewName, () => View> = {
  start: () => new StartPage(bar),
  compress: () => new CompressView(),
  zoom: () => new ZoomPage(),
  fractalize: () => new FractalizePage(),
  stylize: () => new StylizePage(),
  restore: () => new RestorePage(),
  morph: () => new MorphPage(),
  draw: () => new DrawPage(),
};
const made = new Map<ViewName, View>();
/** The settings with which a view was left, for the picture that it showed. */
const left = new Map<ViewName, URLSearchParams>();
let open: { name: ViewName; view: View } | null = null;
const tabs = makeTabs((name) => visit(name));

/** Open a view from its tab, as it was left. */
function visit(name: ViewName): void {
  const query = new URLSearchParams(left.get(name));
  if (workspace.picture && !WITHOUT_PICTURE.includes(name)) {
    if (query.get("p") !== workspace.picture.id) for (const key of ["r", "i", "c", "z", "view"]) query.delete(key);
    query.set("p", workspace.picture.id);
  }
  go(name, query);
}

async function take(file: File): Promise<void> {
  const { view } = current();
  if (!(await openFile(bar, file)) || !workspace.picture) return;
  const target = WITHOUT_PICTURE.includes(view) ? "compress" : view;
  left.delete(target);
  visit(target);
}

async function show(address: Address): Promise<void> {
  if (open && open.name !== address.view) {
    open.view.leave?.();
    open.view.element.remove();
    open = null;
  }
  tabs.select(address.view);
  document.body.dataset.view = address.view;
  title.textContent = tabs.label(address.view);
  toggle(title, address.view !== "start"); // which has a heading of its own
  panel.setAttribute("aria-label", tabs.label(address.view));
  panel.setAttribute("role", address.view === "start" ? "group" : "tabpanel");
  const wanted = address.query.get("p");
  if (wanted && wanted !== workspace.picture?.id) await find(wanted);
  const now = current();
  if (now.view !== address.view) return; // another view was opened meanwhile
  const needs = !WITHOUT_PICTURE.includes(address.view) && !address.query.get("r");
  const missing = needs && !workspace.picture;
  toggle(empty, missing);
  if (missing) {
    open?.view.element.remove();
    open = null;
    return;
  }
  let view = made.get(address.view);
  if (!view) {
    view = makers[address.view]();
    made.set(address.view, view);
  }
  document.title = address.view === "start" ? "Collage studio" : `${tabs.label(address.view)}, Collage studio`;
  if (open?.view !== view) {
    panel.append(view.element);
    open = { name: address.view, view };
    window.scrollTo(0, 0);
  }
  view.enter(address.query);
}

/** The picture of an address, if the server still has it. */
async function find(id: string): Promise<void> {
  try {
    workspace.open(await api.picture(id), null);
  } catch (error) {
    if (error instanceof api.ApiError && error.gone && workspace.picture) amend({ p: workspace.picture.id });
    else report(error);
  }
}

function showChip(): void {
  const { picture } = workspace;
  const choose = chooseButton(picture ? "Change" : "Choose a picture", "quiet", (file) => void take(file), picture ? "Change the picture" : undefined);
  if (!picture) {
    chip.replaceChildren(choose);
    return;
  }
  const words = `${dimensions(picture.width, picture.height)}, ${size(picture.bytes)}`;
  chip.replaceChildren(
    h("img", { src: api.imageUrl("pictures", picture.id, { max: 96 }), alt: "" }),
    h("div", { class: "chip-text", title: picture.name }, h("strong", {}, picture.name), h("span", {}, words)),
    choose,
  );
}

/** The server does not know this session any more: it was started again. */
function recover(): void {
  const { origin } = workspace;
  const { view, query } = current();
  made.forEach((gone, name) => {
    gone.leave?.();
    gone.element.remove();
    made.delete(name);
  });
  open = null;
  left.clear();
  workspace.picture = null;
  showChip();
  const again = async (): Promise<void> => {
    const fine = origin && ("file" in origin ? await openFile(bar, origin.file) : await openNamedExample(bar, origin.example));
    if (!fine || !workspace.picture) return;
    for (const key of ["r", "i"]) query.delete(key);
    query.set("p", workspace.picture.id);
    go(view, query);
  };
  const name = origin && ("file" in origin ? origin.file.name : "the example");
  tell(
    "The studio was started again, and what was made in it is gone.",
    name
      ? [{ label: `Open ${name} again`, run: () => void again() }, { label: "Start anew", run: () => go("start") }]
      : [{ label: "Start anew", run: () => go("start") }],
  );
  toggle(empty, !WITHOUT_PICTURE.includes(view));
  amend({ p: null, r: null, i: null });
  if (WITHOUT_PICTURE.includes(view)) void show(current());
}

async function begin(): Promise<void> {
  document.body.append(
    h("a", { class: "skip", href: "#view", onclick: (event: Event) => { event.preventDefault(); panel.focus(); } }, "Skip to the picture"),
    h("header", {}, tabs.home, tabs.element, chip),
    bar,
    main,
    noticeRegion,
  );
  panel.append(empty);
  showChip();
  whenGone(recover);
  try {
    workspace.about = await api.about();
  } catch (error) {
    report(error);
    return;
  }
  workspace.onPicture(showChip);
  watchPage((file) => void take(file));
  window.addEventListener("collage-amended", () => {
    const { view, query } = current();
    left.set(view, query);
  });
  follow((address) => void show(address));
  keepAlive(() => workspace.picture?.id ?? null, recover);
}

void begin();
