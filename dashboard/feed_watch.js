// What is known of the feed of the exchange on display: heard from the stream, asked of the API, shown every second.

import * as api from './api.js';
import { showFeed } from './feed_badge.js';
import { feedState } from './feed_state.js';
import { now } from './server_clock.js';

const STATUS_MILLISECONDS = 15_000;

export class FeedWatch {
  /** `onChange(state)` when the feed stops being live, and when it is again; not at its every reconnect. */
  constructor(onChange) {
    this.onChange = onChange;
    this.isConnected = false;
    this.forget(null);
    setInterval(() => this.ask(), STATUS_MILLISECONDS);
  }

  /** Watch another exchange. */
  watch(exchange) {
    if (exchange !== this.exchange) this.forget(exchange);
    this.ask();
  }

  /** The feed spoke of itself. */
  hearStatus(status) {
    this.status = status;
  }

  /** News of the market came. */
  hearMarket() {
    this.heardAt = now();
  }

  connection(state) {
    this.isConnected = state === 'open';
    this.show();
  }

  show() {
    const { state, age } = feedState({ status: this.status, heardAt: this.heardAt, isConnected: this.isConnected, now: now() });
    showFeed({ state, age }, this.status?.detail);
    if (state === 'connecting' || state === this.said) return;
    if (this.said !== null) this.onChange(state);
    this.said = state;
  }

  forget(exchange) {
    Object.assign(this, { exchange, status: null, heardAt: null, said: null });
  }

  async ask() {
    if (document.hidden || this.exchange === null) return;
    const { exchange } = this;
    try {
      const rows = (await api.feeds()).filter((row) => row.exchange === exchange);
      if (exchange === this.exchange) this.status = newest([...rows, ...(this.status ? [this.status] : [])]);
    } catch (error) {
      console.warn('the status could not be loaded:', error.message); // The age on display goes on and tells it.
    }
    this.show();
  }
}

/** What was said last, of several feeds that follow one exchange too. */
function newest(statuses) {
  return statuses.sort((one, other) => Date.parse(other.updated_at) - Date.parse(one.updated_at))[0] ?? null;
}
