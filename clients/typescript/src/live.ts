/** The live stream: server-sent events as typed objects, resumed where a connection broke. */

import { ConnectionFailed, MarketDataError, type Problem } from "./errors.js";
import { waitMilliseconds, type Patience } from "./patience.js";
import type { components } from "./schema.js";

/** What the stream tells. `reset`: what was missed is gone from its window; load what you show afresh, then read on. */
export type LiveEvent =
  | { kind: "candle" | "revise"; data: components["schemas"]["CandleRecord"] & { closed: boolean } }
  | { kind: "gap"; data: components["schemas"]["GapRecord"] }
  | { kind: "alert"; data: components["schemas"]["AlertRecord"] }
  | { kind: "status"; data: Record<string, unknown> & { exchange: string; feed_id: string; state: string } }
  | { kind: "reset"; data: Record<string, never> };

export type LiveKind = Exclude<LiveEvent["kind"], "reset">;

export interface LiveQuery {
  exchange?: string;
  /** As the exchange spells them; all if none is named. */
  symbols?: string[];
  /** All if none is named. */
  kinds?: LiveKind[];
  /** Go on after this event of an earlier stream. */
  lastEventId?: string;
  /** Ends the stream. */
  signal?: AbortSignal;
}

// A quiet stream says something every 15 seconds.
const SILENCE_MILLISECONDS_MAX = 45_000;
const KNOWN = new Set(["candle", "revise", "gap", "alert", "status", "reset"]);
const TRANSIENT = new Set([429, 500, 502, 503, 504]);
const LINE_CHARACTERS_MAX = 2 ** 20;

/** Bytes in, events out; `lastEventId` is where to go on after a break. */
class StreamReader {
  private rest = "";
  private kind = "";
  private data: string[] = [];
  private id: string | undefined;

  constructor(public lastEventId: string | undefined) {}

  *read(received: string): Generator<LiveEvent> {
    const lines = (this.rest + received).split("\n");
    this.rest = lines.pop() ?? "";
    if (this.rest.length > LINE_CHARACTERS_MAX) throw new Error("a line of the stream is too long");
    for (const line of lines) yield* this.line(line.replace(/\r$/, ""));
  }

  private *line(line: string): Generator<LiveEvent> {
    const [, name = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (name === "id") this.id = value;
    else if (name === "event") this.kind = value;
    else if (name === "data") this.data.push(value);
    if (line === "") yield* this.dispatch();
  }

  private *dispatch(): Generator<LiveEvent> {
    const { kind, data } = this;
    this.lastEventId = this.id ?? this.lastEventId;
    [this.id, this.kind, this.data] = [undefined, "", []];
    // "skipped" only announces that the connection ends; the next one goes on where this one was.
    if (data.length > 0 && KNOWN.has(kind)) yield { kind, data: JSON.parse(data.join("\n")) } as LiveEvent;
  }
}

/** Everything that the stream tells from now on, over as many connections as it takes. */
export async function* liveEvents(baseUrl: string, patience: Patience, query: LiveQuery): AsyncGenerator<LiveEvent> {
  let lastEventId = query.lastEventId;
  for (let tried = 0; ; ) {
    const reader = new StreamReader(lastEventId);
    let failure: unknown;
    try {
      for await (const event of connected(baseUrl, reader, query)) {
        tried = 0;
        yield event;
      }
    } catch (error) {
      if (error instanceof MarketDataError) throw error;
      failure = error;
    }
    if (query.signal?.aborted) return;
    lastEventId = reader.lastEventId;
    tried += 1;
    const wait = waitMilliseconds(patience, tried, null);
    if (wait === null) throw new ConnectionFailed(`${baseUrl} ends the stream again and again`, { cause: failure });
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

async function* connected(baseUrl: string, reader: StreamReader, query: LiveQuery): AsyncGenerator<LiveEvent> {
  const ending = new AbortController();
  const end = () => ending.abort();
  query.signal?.addEventListener("abort", end);
  let watchdog = setTimeout(end, SILENCE_MILLISECONDS_MAX);
  try {
    const response = await fetch(`${baseUrl}/stream?${parametersOf(query)}`, {
      headers: { Accept: "text/event-stream", ...(reader.lastEventId ? { "Last-Event-ID": reader.lastEventId } : {}) },
      signal: ending.signal,
    });
    if (TRANSIENT.has(response.status)) return;
    if (!response.ok) throw new MarketDataError(response.status, await problemOf(response));
    const decoder = new TextDecoder();
    for await (const chunk of chunksOf(response)) {
      clearTimeout(watchdog);
      watchdog = setTimeout(end, SILENCE_MILLISECONDS_MAX);
      yield* reader.read(decoder.decode(chunk, { stream: true }));
    }
  } finally {
    clearTimeout(watchdog);
    query.signal?.removeEventListener("abort", end);
    end();
  }
}

async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  const source = response.body?.getReader();
  for (;;) {
    const read = await source?.read();
    if (read === undefined || read.done) return;
    yield read.value;
  }
}

function parametersOf({ exchange, symbols, kinds }: LiveQuery): URLSearchParams {
  const named = { exchange, symbol: symbols?.join(","), kinds: kinds?.join(",") };
  return new URLSearchParams(Object.entries(named).filter((pair): pair is [string, string] => Boolean(pair[1])));
}

async function problemOf(response: Response): Promise<Partial<Problem>> {
  return response.json().catch(() => ({})) as Promise<Partial<Problem>>;
}
