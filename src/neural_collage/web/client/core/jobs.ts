// Jobs on the server: started, followed by server-sent events, stopped.

import { ApiError, request, sentence } from "./api";
import type { JobKind, Progress, Result, Settings } from "./types";

/** What a job makes, and first what can be shown of it, which is the same if it has no parts. */
export interface Made {
  first: Promise<Result>;
  whole: Promise<Result>;
}

/** The job was stopped, by the visitor or by a newer one in its place. */
export class Stopped extends Error {}

export interface JobOptions {
  /** One job runs per slot of a page; a newer one replaces it. Default: the kind. */
  slot?: string;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Called with what can be shown before the job has ended, if there is something. */
  onPart?: (part: Result) => void;
}

const PAGE = Math.random().toString(36).slice(2, 10);

/** What a job makes; raises Stopped or ApiError. picture: null for jobs without one. */
export async function runJob<R = Result>(
  kind: JobKind,
  picture: string | null,
  settings: Settings,
  options: JobOptions = {},
): Promise<R> {
  const { signal } = options;
  if (signal?.aborted) throw new Stopped();
  const slot = `${PAGE}-${options.slot ?? kind}`;
  const { id } = await request<{ id: string }>("/api/jobs", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ kind, picture, settings, slot }),
  });
  if (signal?.aborted) {
    stopJob(id);
    throw new Stopped();
  }
  return follow<R>(id, options);
}

/** Run a job whose result can be shown before it has ended. */
export function runInParts(kind: JobKind, picture: string | null, settings: Settings, options: JobOptions): Made {
  let show: (part: Result) => void = () => undefined;
  const part = new Promise<Result>((resolve) => (show = resolve));
  const whole = runJob(kind, picture, settings, { ...options, onPart: show });
  const first = Promise.race([part, whole]);
  first.catch(() => undefined); // who waits for the whole hears of it
  return { first, whole };
}

function stopJob(id: string): void {
  void request(`/api/jobs/${id}`, { method: "DELETE" }).catch(() => undefined);
}

function follow<R>(id: string, { signal, onProgress, onPart }: JobOptions): Promise<R> {
  return new Promise((resolve, reject) => {
    const events = new EventSource(`/api/jobs/${id}/events`);
    const end = (): void => {
      events.close();
      signal?.removeEventListener("abort", abort);
    };
    const abort = (): void => {
      end();
      stopJob(id);
      reject(new Stopped());
    };
    signal?.addEventListener("abort", abort);
    const on = <T>(name: string, run: (data: T) => void): void =>
      events.addEventListener(name, (event) => {
        run(JSON.parse((event as MessageEvent<string>).data || "{}") as T);
      });
    on<{ before: number }>("queued", ({ before }) => {
      const text = before > 0 ? `Waits for ${before} other ${before > 1 ? "jobs" : "job"}` : "Starts";
      onProgress?.({ share: null, seconds_left: null, text });
    });
    on<Progress>("progress", (progress) => onProgress?.(progress));
    on<{ result: Result }>("part", ({ result }) => onPart?.(result));
    on<{ result: R }>("done", ({ result }) => {
      end();
      resolve(result);
    });
    on<{ error: string; gone?: boolean }>("failed", ({ error, gone }) => {
      end();
      reject(new ApiError(sentence(error), gone ?? false));
    });
    on("stopped", () => {
      end();
      reject(new Stopped());
    });
    events.onerror = () => {
      if (events.readyState !== EventSource.CLOSED) return; // the browser connects again
      end();
      reject(new ApiError("The studio lost this job: it may have been started again.", true));
    };
  });
}
