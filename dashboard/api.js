// What the page asks of the API, on its own origin.

import { learn } from './server_clock.js';

const PAGE_RECORDS_MAX = 10_000;
const PAGES_MAX = 5;
const REQUEST_MILLISECONDS_MAX = 15_000;

/** The API's own sentence on why it cannot answer, or what came between. */
export class ApiError extends Error {}

/** All instruments that are kept. */
export async function instruments(signal) {
  return (await get('/v1/instruments', {}, signal)).data;
}

/** What each feed last said. */
export async function feeds(signal) {
  return (await get('/v1/status', {}, signal)).feeds;
}

/** The newest `limit` alerts in `state` (`firing`, `resolved`, `all`), newest first, and whether there are more. */
export async function alerts(state, limit, signal) {
  return get('/v1/alerts', { state, limit }, signal);
}

/**
 * The newest `limit` candles that opened before `end` (seconds; null for now), oldest first; whether there are `more`,
 * and `meta`, the API's judgement of them.
 */
export async function newestCandles({ exchange, symbol }, timeframe, limit, signal, end = null) {
  const query = { exchange, symbol, timeframe, limit, order: 'desc', end: end === null ? null : iso(end) };
  const page = await get('/v1/candles', query, signal);
  return { records: page.data.reverse(), more: page.next_cursor !== null, meta: page.meta };
}

/** Every 1m candle since `start` (seconds), oldest first. */
export async function minutesSince({ exchange, symbol }, start, signal) {
  const query = { exchange, symbol, timeframe: '1m', start: iso(start), limit: PAGE_RECORDS_MAX };
  const records = [];
  let cursor = null;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const page = await get('/v1/candles', { ...query, cursor }, signal);
    records.push(...page.data);
    cursor = page.next_cursor;
    if (cursor === null) return records;
  }
  throw new ApiError(`more than ${PAGES_MAX} pages of 1m candles in one bucket`);
}

function iso(seconds) {
  return new Date(seconds * 1000).toISOString();
}

async function get(path, query, signal) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const address = given.length > 0 ? `${path}?${new URLSearchParams(given)}` : path;
  const bounded = AbortSignal.any([AbortSignal.timeout(REQUEST_MILLISECONDS_MAX), ...(signal ? [signal] : [])]);
  const response = await fetch(address, { signal: bounded, headers: { Accept: 'application/json' } });
  learn(response);
  if (!response.ok) throw new ApiError(await sentenceOf(response));
  return response.json();
}

async function sentenceOf(response) {
  try {
    const problem = await response.json();
    return problem.detail ?? problem.title ?? `the API answered ${response.status}`;
  } catch {
    return `the API answered ${response.status}`; // Not a problem document: something before the API answered.
  }
}
