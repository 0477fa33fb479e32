// What the visitor is told: one message at a time, gone with the next success.

import { ApiError } from "../core/api";
import { h, icon } from "../core/dom";
import { Stopped } from "../core/jobs";
import { ICONS } from "./icons";

export interface Action {
  label: string;
  run: () => void;
}

const text = h("p");
const actions = h("div", { class: "notice-actions" });
const close = h(
  "button",
  { class: "quiet square", "aria-label": "Close this message", onclick: () => clear() },
  icon(ICONS.close),
);
const box = h("div", { class: "notice", hidden: true }, text, actions, close);
/** The live region, present from the start so that screen readers announce what appears in it. */
export const noticeRegion = h("div", { class: "notices", role: "alert" }, box);

let onGone: () => void = () => undefined;
let sticky = false;

/** What to do when the server no longer knows the session. */
export function whenGone(run: () => void): void {
  onGone = run;
}

export function tell(message: string, offered: Action[] = [], kind: "error" | "note" = "error"): void {
  sticky = offered.length > 0;
  text.textContent = message;
  box.dataset.kind = kind;
  actions.replaceChildren(
    ...offered.map(({ label, run }, index) =>
      h(
        "button",
        {
          class: index === 0 ? "primary" : "",
          onclick: () => {
            clear();
            run();
          },
        },
        label,
      ),
    ),
  );
  box.hidden = false;
}

export function clear(): void {
  sticky = false;
  box.hidden = true;
}

/** A success: an error message goes away; a question stays. */
export function succeeded(): void {
  if (!sticky) clear();
}

/** Tell what went wrong; a stop is no error. */
export function report(error: unknown): void {
  if (error instanceof Stopped) return;
  if (error instanceof DOMException && error.name === "AbortError") return;
  if (error instanceof ApiError) {
    if (error.gone) onGone();
    else tell(error.message);
    return;
  }
  console.error(error);
  tell("The page failed here. Load it again, or try other settings.");
}
