/**
 * Candles from a Market Data Engine. The types of every route come from its OpenAPI document (schema.ts), so a
 * timeframe that there is not does not compile.
 */

import createClient, { type Client } from "openapi-fetch";
import { MarketDataError, type Problem } from "./errors.js";
import { liveEvents, type LiveEvent, type LiveQuery } from "./live.js";
import { PATIENCE, patientFetch, type Patience } from "./patience.js";
import type { components, operations, paths } from "./schema.js";

export { ConnectionFailed, MarketDataError, type Problem } from "./errors.js";
export type { LiveEvent, LiveKind, LiveQuery } from "./live.js";
export type { Patience } from "./patience.js";
export type { components, paths } from "./schema.js";

export type Candle = components["schemas"]["CandleRecord"];
export type CandlesMeta = components["schemas"]["CandlesMeta"];
export type CandleQuery = operations["candles"]["parameters"]["query"];
export type Timeframe = NonNullable<CandleQuery["timeframe"]>;

export interface Options {
  /** Where the service is; else as MARKETDATA_URL says, where there is an environment, else on this machine. */
  baseUrl?: string;
  /** Sent as x-api-key, where reads are closed. */
  apiKey?: string;
  /** How often to try, and how long to wait in between. */
  patience?: Partial<Patience>;
}

export const DEFAULT_URL = "http://localhost:8100";

// Node has one; a browser has not.
const environment: Record<string, string | undefined> =
  (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {};

/** One service. `api` asks any route, typed; the methods below are for candles. */
export class MarketDataClient {
  readonly api: Client<paths, "application/json">;
  private readonly baseUrl: string;
  private readonly patience: Patience;

  constructor(options: Options = {}) {
    this.baseUrl = (options.baseUrl ?? environment["MARKETDATA_URL"] ?? DEFAULT_URL).replace(/\/+$/, "");
    this.patience = { ...PATIENCE, ...options.patience };
    this.api = createClient<paths, "application/json">({
      baseUrl: this.baseUrl,
      headers: { Accept: "application/json", ...(options.apiKey ? { "x-api-key": options.apiKey } : {}) },
      fetch: patientFetch(options.patience),
    });
  }

  /** The newest candles, oldest first. */
  async fetchCandles(symbol: string, timeframe: Timeframe = "1m", limit = 100, exchange?: string): Promise<Candle[]> {
    const query = { symbol, timeframe, limit, ...(exchange === undefined ? {} : { exchange }) };
    const { data, error, response } = await this.api.GET("/v1/candles/latest", { params: { query } });
    return told(data, error, response).data;
  }

  /** Every candle with `start <= open_time < end`, page by page; each page says what it lacks in `meta`. */
  async *pages(query: CandleQuery): AsyncGenerator<{ data: Candle[]; meta: CandlesMeta }> {
    let cursor: string | null = query.cursor ?? null;
    do {
      const asked = { limit: 10_000, ...query, ...(cursor === null ? {} : { cursor }) };
      const { data, error, response } = await this.api.GET("/v1/candles", { params: { query: asked } });
      const page: components["schemas"]["Candles"] = told(data, error, response);
      yield page;
      cursor = page.next_cursor;
    } while (cursor !== null);
  }

  /** Every candle of the span, one after the other. */
  async *candles(query: CandleQuery): AsyncGenerator<Candle> {
    for await (const page of this.pages(query)) yield* page.data;
  }

  /** What happens from now on: candles as they change, corrections, gaps, alerts, feeds. Leave the loop to end it. */
  stream(query: LiveQuery = {}): AsyncGenerator<LiveEvent> {
    return liveEvents(this.baseUrl, this.patience, query);
  }
}

/** The newest candles of a service on this machine, or of `baseUrl`, oldest first. */
export async function fetchCandles(
  symbol: string,
  timeframe: Timeframe,
  limit: number,
  options: Options = {},
): Promise<Candle[]> {
  return new MarketDataClient(options).fetchCandles(symbol, timeframe, limit);
}

function told<Body>(body: Body | undefined, problem: unknown, response: Response): Body {
  if (body === undefined) throw new MarketDataError(response.status, (problem ?? {}) as Partial<Problem>);
  return body;
}
