// Keeps the session of this page, and notices when the server went away and came back.

import { ApiError, picture } from "../core/api";
import { clear, tell } from "./notices";

const RETRY = 2000; // milliseconds

/** known: the picture that the server should know. onLost: it came back without the session. */
export function keepAlive(known: () => string | null, onLost: () => void): void {
  let away = false;
  const connect = (): void => {
    const events = new EventSource("/api/alive");
    events.onopen = () => {
      if (!away) return;
      away = false;
      clear();
      void check(known, onLost);
    };
    events.onerror = () => {
      if (!away) tell("The studio does not answer. The page goes on as soon as it is back.");
      away = true;
      if (events.readyState !== EventSource.CLOSED) return; // the browser connects again
      events.close();
      window.setTimeout(connect, RETRY);
    };
  };
  connect();
}

async function check(known: () => string | null, onLost: () => void): Promise<void> {
  const id = known();
  if (!id) return;
  try {
    await picture(id);
  } catch (error) {
    if (error instanceof ApiError && error.gone) onLost();
  }
}
