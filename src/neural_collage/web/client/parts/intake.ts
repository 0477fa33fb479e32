// How pictures come in: chosen, dropped anywhere, pasted.

import { ApiError, openExample, upload } from "../core/api";
import { h } from "../core/dom";
import { dimensions, megapixels } from "../core/format";
import type { Picture } from "../core/types";
import { workspace } from "../core/workspace";
import type { JobBar } from "./job-bar";
import { report, tell } from "./notices";

export const ACCEPTED = "image/*,.clg,.heic,.heif,.avif,.jxl";

/** Upload a file; null if it failed, which was told, or was stopped. */
export async function receive(bar: JobBar, file: File, reduce = false): Promise<Picture | null> {
  const limit = workspace.about?.limits.bytes ?? Infinity;
  if (file.size > limit) {
    tell(`${file.name} has ${Math.round(file.size / 1e6)} MB; at most ${Math.round(limit / 1e6)} MB can be opened.`);
    return null;
  }
  if (file.size === 0) {
    tell(`${file.name} is empty. Choose another picture.`);
    return null;
  }
  let offered: Promise<Picture | null> | null = null;
  const picture = await bar.during(async (signal, onProgress) => {
    const text = `Reads ${file.name}`;
    onProgress({ share: 0, seconds_left: null, text });
    try {
      return await upload(
        file,
        reduce,
        (share) => onProgress({ share: share < 1 ? share : null, seconds_left: null, text }),
        signal,
      );
    } catch (error) {
      if (!(error instanceof ApiError) || !error.offer || reduce) throw error;
      offered = askReduced(bar, file, error);
      return null;
    }
  });
  return offered ?? picture;
}

function askReduced(bar: JobBar, file: File, error: ApiError): Promise<Picture | null> {
  const { width, height } = error.offer ?? { width: 0, height: 0 };
  return new Promise((resolve) => {
    tell(`${error.message} It can be opened at ${dimensions(width, height)}, ${megapixels(width, height)}.`, [
      { label: "Open it reduced", run: () => void receive(bar, file, true).then(resolve) },
      { label: "Cancel", run: () => resolve(null) },
    ]);
  });
}

/** Make a file the picture of the workspace; whether that worked. */
export async function openFile(bar: JobBar, file: File): Promise<boolean> {
  const picture = await receive(bar, file);
  if (!picture) return false;
  workspace.open(picture, { file });
  return true;
}

/** Make an example the picture of the workspace; whether that worked. */
export async function openNamedExample(bar: JobBar, id: string): Promise<boolean> {
  const picture = await bar.during(() => openExample(id));
  if (!picture) return false;
  workspace.open(picture, { example: id });
  return true;
}

/** A button that opens the file dialog. */
export function chooseButton(
  label: string,
  className: string,
  onFile: (file: File) => void,
  name?: string,
): HTMLElement {
  const input = h("input", {
    type: "file",
    accept: ACCEPTED,
    class: "file-input",
    tabindex: "-1",
    "aria-label": name ?? label,
  });
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    input.value = ""; // the same file can be chosen again
    if (file) onFile(file);
  });
  const button = h(
    "button",
    { class: className, type: "button", onclick: () => input.click(), "aria-label": name },
    label,
  );
  return h("span", { class: "choose" }, button, input);
}

/** Call back with a file that is dropped anywhere or pasted. */
export function watchPage(onFile: (file: File) => void): void {
  const veil = h(
    "div",
    { class: "drop-veil", hidden: true, "aria-hidden": "true" },
    h("p", {}, "Drop the picture anywhere"),
  );
  document.body.append(veil);
  let depth = 0;
  const carries = (event: DragEvent): boolean =>
    Boolean(event.dataTransfer?.types.includes("Files"));
  const show = (visible: boolean): void => {
    depth = visible ? depth : 0;
    veil.hidden = !visible;
  };
  window.addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    depth += 1;
    show(true);
  });
  window.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) show(false);
  });
  window.addEventListener("dragover", (event) => {
    if (carries(event)) event.preventDefault();
  });
  window.addEventListener("drop", (event) => {
    show(false);
    if (!carries(event)) return;
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) onFile(file);
    else report(new ApiError("That is no file: save the picture first, then drop the file."));
  });
  window.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (!file) return;
    event.preventDefault();
    onFile(file);
  });
}
