/** A fetch that tries again what may pass: bounded, with full jitter, and never sooner than Retry-After asks. */

import { ConnectionFailed } from "./errors.js";

export interface Patience {
  tries: number;
  delayMilliseconds: number;
  delayMillisecondsMax: number;
  timeoutMilliseconds: number;
}

export const PATIENCE: Patience = { tries: 5, delayMilliseconds: 500, delayMillisecondsMax: 30_000, timeoutMilliseconds: 30_000 };
const TRANSIENT = new Set([429, 500, 502, 503, 504]);

export function patientFetch(given: Partial<Patience> = {}): (request: Request) => Promise<Response> {
  const patience = { ...PATIENCE, ...given };
  return async (request) => {
    for (let tried = 1; ; tried += 1) {
      const response = await attempt(request, patience);
      const answered = response instanceof Response;
      if (answered && !TRANSIENT.has(response.status)) return response;
      const wait = waitMilliseconds(patience, tried, answered ? response.headers.get("Retry-After") : null);
      if (wait === null && answered) return response;
      if (wait === null) throw new ConnectionFailed(`${request.url} does not answer`, { cause: response });
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  };
}

// Each try has a copy: a request that was sent cannot be sent again.
async function attempt(request: Request, patience: Patience): Promise<unknown> {
  try {
    return await fetch(request.clone(), { signal: AbortSignal.timeout(patience.timeoutMilliseconds) });
  } catch (error) {
    return error;
  }
}

/** How long to wait after so many tries; null if it is time to give up. */
export function waitMilliseconds(patience: Patience, tried: number, retryAfter: string | null): number | null {
  const asked = retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : 0;
  if (tried >= patience.tries || asked > patience.delayMillisecondsMax) return null;
  const grown = Math.min(patience.delayMillisecondsMax, patience.delayMilliseconds * 2 ** (tried - 1));
  return asked > 0 ? asked + grown * Math.random() * 0.1 : grown * Math.random();
}
