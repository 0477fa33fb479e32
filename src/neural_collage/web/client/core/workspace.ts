// The picture that all views work on, and what is known about the server.

import type { About, Picture } from "./types";

export type Origin = { file: File } | { example: string } | null;

class Workspace extends EventTarget {
  about: About | null = null;
  picture: Picture | null = null;
  /** Where the picture comes from, to open it again after a restart of the server. */
  origin: Origin = null;

  /** Work on another picture; views forget what they made of the old one. */
  open(picture: Picture, origin: Origin): void {
    this.picture = picture;
    this.origin = origin;
    this.dispatchEvent(new Event("picture"));
  }

  onPicture(run: () => void): void {
    this.addEventListener("picture", run);
  }
}

export const workspace = new Workspace();
