// The live stream of one instrument. The browser reconnects and resumes by itself; this adds what it leaves out.

const KINDS = ['candle', 'revise', 'status', 'gap', 'alert', 'reset', 'skipped'];
const HIDDEN_MILLISECONDS_MAX = 20_000;
const AGAIN_MILLISECONDS = [1_000, 2_000, 5_000, 10_000, 30_000];

/**
 * Calls `onEvent(kind, document)` for what is heard and `onState('connecting' | 'open')` as the connection goes.
 *
 * A page that is not looked at lets its connection go: over HTTP/1.1 a browser has six for all its tabs. Looked at again,
 * it resumes from the last id, so it misses nothing.
 */
export class LiveStream {
  constructor({ exchange, symbol }, onEvent, onState) {
    this.query = { exchange, symbol, kinds: 'candle,revise,status,gap,alert' };
    this.onEvent = onEvent;
    this.onState = onState;
    this.lastEventId = null;
    this.hasBeenOpen = false;
    this.failures = 0;
    this.closed = false;
    this.opened = new Promise((resolve) => {
      this.resolveOpened = resolve;
    });
    this.onVisibility = () => this.visibilityChanged();
    document.addEventListener('visibilitychange', this.onVisibility);
    this.connect();
  }

  close() {
    this.closed = true;
    document.removeEventListener('visibilitychange', this.onVisibility);
    this.disconnect();
    this.resolveOpened();
  }

  connect() {
    const query = { ...this.query, ...(this.lastEventId && { last_event_id: this.lastEventId }) };
    this.onState('connecting');
    this.source = new EventSource(`/stream?${new URLSearchParams(query)}`);
    this.source.onopen = () => {
      this.failures = 0;
      // Cut off before the first event there is no id to resume from: what was missed has to be loaded.
      if (this.hasBeenOpen && this.lastEventId === null) this.onEvent('reset', {});
      this.hasBeenOpen = true;
      this.onState('open');
      this.resolveOpened();
    };
    this.source.onerror = () => this.failed();
    for (const kind of KINDS) this.source.addEventListener(kind, (event) => this.heard(kind, event));
  }

  disconnect() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  heard(kind, event) {
    if (event.lastEventId) this.lastEventId = event.lastEventId;
    this.onEvent(kind, JSON.parse(event.data));
  }

  failed() {
    this.onState('connecting');
    this.resolveOpened(); // Whoever waited for the stream goes on without it; the page says that it is not live.
    if (this.source?.readyState !== EventSource.CLOSED) return;
    // Refused with an error (a full hub, a gateway that restarts): the browser gives up here, this does not.
    this.disconnect();
    const wait = AGAIN_MILLISECONDS[Math.min(this.failures, AGAIN_MILLISECONDS.length - 1)];
    this.failures += 1;
    this.timer = setTimeout(() => this.connect(), wait);
  }

  visibilityChanged() {
    clearTimeout(this.timer);
    if (document.hidden) {
      this.timer = setTimeout(() => this.disconnect(), HIDDEN_MILLISECONDS_MAX);
    } else if (this.source === null && !this.closed) {
      this.connect();
    }
  }
}
