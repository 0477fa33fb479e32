// Requests to the server. Failures are `ApiError`s whose message can be shown.

import type { About, Picture, Region, Result } from "./types";

const HEADERS = { "X-Collage": "1" };
const UNREACHABLE = "The studio does not answer. Is it still running?";

export interface Offer {
  width: number;
  height: number;
}

export class ApiError extends Error {
  /** gone: the server no longer has what was asked for. offer: a size at which it takes a picture. */
  constructor(
    message: string,
    readonly gone = false,
    readonly offer: Offer | null = null,
  ) {
    super(message);
  }
}

function failure(status: number, body: unknown): ApiError {
  const data = (body ?? {}) as { error?: unknown; gone?: unknown; offer?: Offer };
  const text = typeof data.error === "string" ? data.error : `the studio failed (${status})`;
  return new ApiError(sentence(text), status === 410, data.offer ?? null);
}

/** A message of the server as a sentence. */
export function sentence(text: string): string {
  const isWord = /^[a-z]+[ ,]/.test(text); // and not the name of a file
  const first = isWord ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

async function parsed(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

/** The JSON of a response; raises ApiError for every failure. */
export async function request<T>(path: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers: { ...HEADERS, ...init.headers } });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(UNREACHABLE);
  }
  const body = await parsed(response);
  if (!response.ok) throw failure(response.status, body);
  return body as T;
}

export const about = (): Promise<About> => request("/api/about");

export const picture = (id: string): Promise<Picture> =>
  request(`/api/pictures/${encodeURIComponent(id)}`);

export const result = (id: string): Promise<Result> =>
  request(`/api/results/${encodeURIComponent(id)}`);

export const openExample = (id: string): Promise<Picture> =>
  request(`/api/examples/${encodeURIComponent(id)}`, { method: "POST" });

/** A result as a picture to work on. */
export const resultAsPicture = (id: string): Promise<Picture> =>
  request(`/api/results/${encodeURIComponent(id)}/picture`, { method: "POST" });

/**
 * Uploads a file. onShare: called with the part that is sent, 0 to 1.
 * XMLHttpRequest, since `fetch` does not tell how much it sent.
 */
export function upload(
  file: File,
  reduce: boolean,
  onShare: (share: number) => void,
  signal: AbortSignal,
): Promise<Picture> {
  const query = new URLSearchParams({ name: file.name || "picture" });
  if (reduce) query.set("reduce", "1");
  return new Promise((resolve, reject) => {
    const sent = new XMLHttpRequest();
    sent.open("POST", `/api/pictures?${query}`);
    sent.setRequestHeader("X-Collage", "1");
    sent.setRequestHeader("Content-Type", "application/octet-stream");
    sent.responseType = "json";
    sent.upload.onprogress = (event) => {
      if (event.lengthComputable) onShare(event.loaded / event.total);
    };
    sent.onload = () => {
      if (sent.status >= 200 && sent.status < 300) resolve(sent.response as Picture);
      else reject(failure(sent.status, sent.response));
    };
    sent.onerror = () => {
      void readable(file).then((fine) =>
        reject(
          new ApiError(
            fine
              ? UNREACHABLE
              : `${file.name} changed or went away while it was read. Choose it again.`,
          ),
        ),
      );
    };
    sent.onabort = () => reject(new DOMException("stopped", "AbortError"));
    signal.addEventListener("abort", () => sent.abort());
    sent.send(file);
  });
}

async function readable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

export interface ImageOptions {
  max?: number;
  region?: Region;
  scale?: number;
  form?: "png" | "webp" | "jpeg";
}

/** The address of pixels of a picture or a result. */
export function imageUrl(
  of: "pictures" | "results",
  id: string,
  options: ImageOptions = {},
): string {
  const query = new URLSearchParams();
  if (options.max) query.set("max", String(options.max));
  if (options.region) query.set("region", options.region.join(","));
  if (options.scale) query.set("scale", String(options.scale));
  if (options.form) query.set("form", options.form);
  const text = query.toString();
  return `/api/${of}/${encodeURIComponent(id)}/image${text ? `?${text}` : ""}`;
}

export const fileUrl = (of: "pictures" | "results", id: string): string =>
  `/api/${of}/${encodeURIComponent(id)}/file`;
