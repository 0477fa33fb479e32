// Morph: a picture between two, the fixed point of a map between theirs.

import { amend } from "../core/address";
import { imageUrl, openExample } from "../core/api";
import { debounced, h, reveal } from "../core/dom";
import { percent } from "../core/format";
import type { Picture } from "../core/types";
import { workspace } from "../core/workspace";
import { BeforeAfter } from "../parts/before-after";
import { slider } from "../parts/fields";
import { chooseButton, receive } from "../parts/intake";
import { JobBar } from "../parts/job-bar";
import type { View } from "./view";

export class MorphPage implements View {
  readonly element: HTMLElement;
  private readonly shown = new BeforeAfter("First", "zoom", "fractalize", "compress");
  private readonly bar = new JobBar();
  private readonly changed = debounced(300, () => void this.make());
  private readonly share = slider({
    label: "From the first to the second", min: 0, max: 1, step: 0.05, value: 0.5, say: percent, onInput: this.changed,
  });
  private readonly pair = h("div", { class: "pair" });
  private readonly hint = h("p", { class: "hint" });
  private readonly stage = h("div", { class: "stage" }, this.shown.compare, this.bar);
  private readonly outcome = h("section", { class: "card", "aria-label": "Result", hidden: true }, this.shown.saved, this.shown.sendOn.element);
  private readonly offers: HTMLElement;
  private picture: Picture | null = null;
  private other: Picture | null = null;

  constructor() {
    this.offers = h(
      "div",
      { class: "offers", role: "group", "aria-label": "Examples as the second picture" },
      ...(workspace.about?.examples ?? []).map((example) =>
        h(
          "button",
          { class: "offer", "aria-label": `Second picture: ${example.title}`, onclick: () => void this.takeExample(example.id) },
          h("img", { src: example.thumb, alt: "" }),
        ),
      ),
    );
    this.element = h(
      "div",
      { class: "workspace morph" },
      this.stage,
      h(
        "div",
        { class: "panel" },
        h(
          "section",
          { class: "card", "aria-label": "Morph" },
          this.pair,
          chooseButton("Choose the second picture", "primary wide", (file) => void this.take(file)),
          this.hint,
          this.offers,
          this.share.element,
        ),
        this.outcome,
      ),
    );
  }

  enter(query: URLSearchParams): void {
    const { picture } = workspace;
    if (!picture) return;
    const share = Number(query.get("share"));
    if (query.has("share") && share >= 0 && share <= 1) this.share.value = share;
    if (picture.id !== this.picture?.id) {
      this.picture = picture;
      this.shown.open(picture);
      this.outcome.hidden = true;
      if (this.other) void this.make();
    }
    this.arrange();
    amend({ p: picture.id, share: this.share.value });
  }

  private arrange(): void {
    const faces = [this.picture, this.other].map((picture, index) =>
      picture
        ? h("figure", {}, h("img", { src: imageUrl("pictures", picture.id, { max: 240 }), alt: picture.name }), h("figcaption", {}, index ? "Second" : "First"))
        : null,
    );
    this.pair.replaceChildren(...faces.filter((f) => f !== null));
    this.hint.textContent = this.other ? "" : "It takes the size of the first; then one turns into the other. Or take one of these:";
    this.share.element.hidden = this.other === null;
  }

  private async takeExample(id: string): Promise<void> {
    await this.use(await this.bar.during(() => openExample(id)));
  }

  private async take(file: File): Promise<void> {
    await this.use(await receive(this.bar, file));
  }

  private async use(other: Picture | null): Promise<void> {
    if (!other) return;
    this.other = other;
    this.arrange();
    await this.make();
  }

  private async make(): Promise<void> {
    const { picture, other } = this;
    if (!picture || !other) return;
    amend({ share: this.share.value });
    this.stage.setAttribute("data-stale", "");
    this.shown.withdraw();
    this.outcome.hidden = true;
    const share = this.share.value;
    const made = await this.bar.run("morph", picture.id, { other: other.id, share });
    if (this.bar.running) return;
    this.stage.removeAttribute("data-stale");
    if (!made || picture !== this.picture) return;
    this.shown.show(made, `${percent(share)} of the second`);
    this.outcome.hidden = false;
    reveal(this.stage);
  }

  leave(): void {
    this.bar.replace();
  }
}
