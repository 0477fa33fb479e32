// The first screen: what this is, a picture to begin with, how it works.

import { type ViewName, VIEWS, go } from "../core/address";
import { h } from "../core/dom";
import type { Example } from "../core/types";
import { workspace } from "../core/workspace";
import { chooseButton, openFile, openNamedExample } from "../parts/intake";
import type { JobBar } from "../parts/job-bar";
import { LOOK, PLAIN } from "./fractalize";
import type { View } from "./view";

const PAPER = "https://arxiv.org/abs/2204.07673";

const QUESTIONS: [question: string, answer: string][] = [
  [
    "Where do my pictures go?",
    "Nowhere: all is computed by the program that serves this page, by default on your own computer. What you opened is removed a minute after you close the page.",
  ],
  [
    "What is a .clg file?",
    "A picture kept as a map from itself to itself. It is often smaller than a JPEG that looks as good, and it can be drawn at any size. Drop one here to look at it, or to save it as PNG at the scale you like.",
  ],
  [
    "Can I use it without the page?",
    "Yes. The command collage does all of this in a terminal: collage --help lists what there is, and the same functions are in the Python package neural_collage. Its handbook is the folder docs of the source.",
  ],
  [
    "Which keys are there?",
    "In pictures + and − zoom, 0 shows the whole, arrows move, 1 shows the pixels. Arrows move from tab to tab, too. A picture can be pasted anywhere with Ctrl V.",
  ],
];

export class StartPage implements View {
  readonly element: HTMLElement;

  constructor(private readonly bar: JobBar) {
    const about = workspace.about;
    this.element = h(
      "div",
      { class: "start" },
      h(
        "section",
        { class: "hero" },
        h(
          "div",
          { class: "hero-text" },
          h("h1", {}, "Pictures made of themselves"),
          h(
            "p",
            { class: "lead" },
            "Shrink a photo to a tiny file, zoom into it without end, or turn it into art made of small copies of itself.",
          ),
          h(
            "div",
            { class: "drop-zone" },
            chooseButton("Choose a picture", "primary large", (file) => void this.take(file)),
            h("p", {}, "or drop one anywhere, or paste it"),
          ),
          h("p", { class: "hint" }, "It stays on this computer."),
        ),
        h("img", {
          class: "hero-picture",
          src: "/static/pictures/hero.webp",
          width: 640,
          height: 480,
          alt: "A cat's face, made of hundreds of small pictures of the same cat",
        }),
      ),
      h(
        "section",
        { "aria-labelledby": "examples" },
        h("h2", { id: "examples" }, "Or open one of these"),
        h("div", { class: "example-grid" }, ...(about?.examples ?? []).map((e) => this.card(e))),
      ),
      howItWorks(),
      h(
        "section",
        { class: "more", "aria-labelledby": "questions" },
        h("h2", { id: "questions" }, "Good to know"),
        ...QUESTIONS.map(([question, answer]) =>
          h("details", { class: "fold" }, h("summary", {}, question), h("p", {}, answer)),
        ),
        h(
          "p",
          { class: "links" },
          h("a", { href: PAPER, target: "_blank", rel: "noreferrer" }, "The paper: Self-Similarity Priors, Neural Collages as Differentiable Fractal Representations"),
          h("span", {}, `neural-collage ${about?.version ?? ""}`),
        ),
      ),
    );
  }

  enter(): void {
    this.bar.replace();
  }

  private card(example: Example): HTMLElement {
    return h(
      "button",
      { class: "example", onclick: () => void this.openExample(example) },
      h("img", { src: example.thumb, alt: "", loading: "lazy" }),
      h("strong", {}, example.title),
      h("span", {}, example.text),
    );
  }

  private async take(file: File): Promise<void> {
    if (await openFile(this.bar, file)) go("compress", { p: workspace.picture?.id ?? "" });
  }

  private async openExample(example: Example): Promise<void> {
    if (example.view === "draw") {
      go("draw", exampleQuery(example));
      return;
    }
    if (!(await openNamedExample(this.bar, example.id))) return;
    const view = VIEWS.find((name) => name === example.view) ?? ("compress" satisfies ViewName);
    go(view, { p: workspace.picture?.id ?? "", ...exampleQuery(example) });
  }
}

/** The address at which the job of an example is done. */
function exampleQuery({ view, settings }: Example): Record<string, string> {
  if (view === "compress") return { left: "original", right: `${settings.format ?? "clg"}:q${settings.quality ?? 50}` };
  const all: Example["settings"] = view === "fractalize" ? { ...PLAIN, ...settings } : settings;
  if (view === "fractalize") return { set: LOOK.map((name) => Number(all[name])).join(",") };
  const query = Object.fromEntries(Object.entries(all).map(([key, value]) => [key, String(value)]));
  return view === "restore" ? { ...query, run: "1" } : query;
}

function howItWorks(): HTMLElement {
  const step = (number: string, picture: string, alt: string, title: string, text: string): HTMLElement =>
    h(
      "li",
      {},
      h("img", { src: `/static/pictures/${picture}.webp`, alt, width: 720, height: 270, loading: "lazy" }),
      h("h3", {}, `${number} ${title}`),
      h("p", {}, text),
    );
  return h(
    "section",
    { class: "how", "aria-labelledby": "how" },
    h("h2", { id: "how" }, "How it works"),
    h(
      "ol",
      {},
      step(
        "1.",
        "likeness",
        "A photo of a cat on which a small square and a larger square that resembles it are marked",
        "Find likenesses",
        "Every small piece of a picture resembles some larger piece of it. The file only keeps which one, and how bright.",
      ),
      step(
        "2.",
        "drawing",
        "Four pictures: a cup of coffee, a cat with crumbs of the coffee, and the cat, clearer each time",
        "Draw again and again",
        "Copying the pieces over and over turns any start into the picture, at any size: so there is always more to zoom into.",
      ),
    ),
  );
}
