// Progress of a job, what remains of it, and a button that stops it.

import { h } from "../core/dom";
import { remaining } from "../core/format";
import { type JobOptions, Stopped, runJob } from "../core/jobs";
import type { JobKind, Progress, Result, Settings } from "../core/types";
import { report, succeeded } from "./notices";

const PATIENCE = 350; // milliseconds before a job is shown at all

export class JobBar extends HTMLElement {
  private readonly text = h("span", { class: "job-text" });
  private readonly bar = h("progress", { max: "1", "aria-label": "Progress" });
  private readonly stopButton = h("button", { class: "stop", onclick: () => this.stop() }, "Stop");
  private readonly said = h("p", { class: "hint job-said", role: "status" });
  private controller: AbortController | null = null;
  private timer = 0;
  private started = 0;

  connectedCallback(): void {
    if (this.childElementCount) return;
    const row = h("div", { class: "job-row", hidden: true }, this.text, this.bar, this.stopButton);
    this.append(row, this.said);
  }

  get running(): boolean {
    return this.controller !== null;
  }

  stop(): void {
    if (!this.controller) return;
    this.controller.abort();
    this.said.textContent = "Stopped.";
    this.dispatchEvent(new Event("stop"));
  }

  /** Cancel without a word, because something newer follows. */
  replace(): void {
    this.controller?.abort();
  }

  /** Run a job; null if it failed, which was then told, or was stopped. */
  async run(
    kind: JobKind,
    picture: string | null,
    settings: Settings,
    options: JobOptions = {},
  ): Promise<Result | null> {
    return this.during((signal, onProgress) =>
      runJob(kind, picture, settings, { ...options, signal, onProgress }),
    );
  }

  /** Show the bar during a piece of work, which is given a signal that stops it. */
  async during<T>(
    work: (signal: AbortSignal, onProgress: (progress: Progress) => void) => Promise<T>,
  ): Promise<T | null> {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    this.said.textContent = "";
    this.started = performance.now();
    this.tell({ share: null, seconds_left: null, text: "Starts" });
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.reveal(true), PATIENCE);
    try {
      const made = await work(controller.signal, (progress) => {
        if (this.controller === controller) this.tell(progress);
      });
      succeeded();
      return made;
    } catch (error) {
      if (!(error instanceof Stopped) && !controller.signal.aborted) report(error);
      return null;
    } finally {
      if (this.controller === controller) {
        this.controller = null;
        clearTimeout(this.timer);
        this.reveal(false);
      }
    }
  }

  private reveal(visible: boolean): void {
    const row = this.firstElementChild;
    if (row instanceof HTMLElement) row.hidden = !visible;
    this.toggleAttribute("busy", visible);
  }

  /** Show progress of the work that runs. */
  tell({ share, seconds_left: left, text }: Progress): void {
    const known = share !== null && Number.isFinite(share);
    if (known) this.bar.value = Math.min(1, Math.max(0, share));
    else this.bar.removeAttribute("value");
    const long = performance.now() - this.started > 1500;
    const rest = left !== null && left !== undefined && long ? `, ${remaining(left)}` : "";
    this.text.textContent = `${text || "Works"}${rest}`;
  }
}

customElements.define("job-bar", JobBar);
