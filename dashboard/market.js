// One instrument, followed: what the store holds, joined without a seam to what the stream brings.

import { minutesSince, newestCandles } from './api.js';
import { History } from './history.js';
import { now } from './server_clock.js';
import { LiveStream } from './stream.js';
import { bucketOf } from './timeframes.js';

const CANDLES_LOADED = 1_000;
const SETTLING_SECONDS = 120;
const STREAM_MILLISECONDS_MAX = 2_000;
const WAITING_MAX = 5_000;
const REFRESH_MILLISECONDS = 60_000;
const AGAIN_MILLISECONDS = [1_000, 2_000, 5_000, 10_000, 30_000];

/**
 * `on` hears `loading()`, `loaded()`, `failed(error)`, `changed(time, isRevision)`, `refreshed()`, `status(document)`,
 * `heard()` at news of the market, and `connection(state)`. `history` is what is held, null while loading; `gaps` are
 * the stretches that the API judged to be missing, null while it has judged nothing; `simulated` is whether it says that
 * the data is invented.
 */
export class Market {
  constructor(instrument, on) {
    this.instrument = instrument;
    this.on = on;
    this.history = null;
    this.gaps = null;
    this.simulated = instrument.simulated;
    this.waiting = [];
    this.stream = new LiveStream(instrument, (kind, document) => this.hear(kind, document), (state) => on.connection(state));
    this.refreshing = setInterval(() => this.refresh(), REFRESH_MILLISECONDS);
  }

  /** Load a timeframe and keep it true from then on. */
  async show(timeframe) {
    this.timeframe = timeframe;
    await this.load();
  }

  close() {
    clearInterval(this.refreshing);
    clearTimeout(this.again);
    this.abort?.abort();
    this.stream.close();
  }

  /** More candles in front, when there are any. */
  async loadOlder() {
    if (!this.history?.candles.length || !this.more || this.loadingOlder) return;
    this.loadingOlder = true;
    const { signal } = this.abort;
    try {
      const end = this.history.candles[0].time;
      const page = await newestCandles(this.instrument, this.timeframe, CANDLES_LOADED, signal, end);
      if (signal.aborted) return;
      this.more = page.more && this.history.hasRoom;
      this.judge(page.meta);
      this.history.merge(page.records);
      this.on.refreshed();
    } catch (error) {
      if (!signal.aborted) console.warn('older candles could not be loaded:', error.message);
    } finally {
      this.loadingOlder = false;
    }
  }

  async load(attempt = 0) {
    clearTimeout(this.again);
    this.abort?.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    this.history = null;
    this.on.loading();
    try {
      // First the stream, then the store: what happens in between waits in `waiting`, and nothing falls into a seam.
      await Promise.race([this.stream.opened, later(STREAM_MILLISECONDS_MAX)]);
      const history = await this.fetch(signal);
      if (signal.aborted) return;
      this.history = history;
      for (const [kind, record] of this.waiting.splice(0)) this.take(kind, record);
      this.on.loaded();
    } catch (error) {
      if (signal.aborted) return;
      this.on.failed(error);
      const wait = AGAIN_MILLISECONDS[Math.min(attempt, AGAIN_MILLISECONDS.length - 1)];
      this.again = setTimeout(() => this.load(attempt + 1), wait);
    }
  }

  async fetch(signal) {
    const { instrument, timeframe } = this;
    // A bucket's last minute closes, and its coarse candle is rolled up, only after the bucket has ended.
    const from = bucketOf(now() - SETTLING_SECONDS, timeframe);
    const [page, minutes] = await Promise.all([
      newestCandles(instrument, timeframe, CANDLES_LOADED, signal),
      timeframe === '1m' ? [] : minutesSince(instrument, from, signal),
    ]);
    this.gaps = null;
    this.judge(page.meta);
    this.more = page.more;
    return timeframe === '1m' ? new History(timeframe, page.records) : new History(timeframe, page.records, minutes, from);
  }

  /** Ask the store again: it knows of repairs, of proofs, and of minutes in which nothing was traded. */
  async refresh() {
    if (this.history === null || document.hidden) return;
    const { history, abort } = this;
    try {
      const page = await newestCandles(this.instrument, this.timeframe, CANDLES_LOADED, abort.signal);
      if (abort.signal.aborted || this.history !== history) return;
      this.judge(page.meta);
      history.merge(page.records);
      this.on.refreshed();
    } catch (error) {
      if (!abort.signal.aborted) console.warn('candles could not be refreshed:', error.message);
    }
  }

  /** Take over what the API says of the span it judged, in place of what it said before. */
  judge({ span, gaps, simulated }) {
    this.simulated ||= simulated;
    if (span === null) return;
    const [start, end] = [seconds(span.start), seconds(span.end)];
    const outside = (this.gaps ?? []).filter((gap) => gap.end <= start || gap.start >= end);
    const judged = gaps.map((gap) => ({ start: seconds(gap.start), end: seconds(gap.end), count: gap.buckets, state: gap.state, reason: gap.reason }));
    this.gaps = [...outside, ...judged].sort((one, other) => one.start - other.start);
  }

  hear(kind, document) {
    if (kind === 'status') {
      this.on.status(document);
    } else if (kind === 'reset') {
      this.load();
    } else if (kind === 'candle' || kind === 'revise') {
      this.on.heard();
      if (this.history !== null) this.take(kind, document);
      else this.keepWaiting(kind, document);
    } else if (kind === 'gap') {
      this.refresh();
    } else if (kind === 'alert') {
      this.on.alert(document);
    }
    // `skipped` needs nothing: the connection ends, and the next one resumes where this one was, or says `reset`.
  }

  keepWaiting(kind, record) {
    this.waiting.push([kind, record]);
    if (this.waiting.length > WAITING_MAX) this.waiting.shift(); // The store has what is this old.
  }

  take(kind, record) {
    this.simulated ||= record.simulated;
    if (record.exchange !== this.instrument.exchange || record.symbol !== this.instrument.symbol) return;
    const index = this.history.apply(record);
    if (index !== null) this.on.changed(this.history.candles[index].time, kind === 'revise');
    if (this.history.stale) {
      this.history.stale = false;
      this.refresh();
    }
  }
}

function seconds(iso) {
  return Date.parse(iso) / 1000;
}

function later(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
