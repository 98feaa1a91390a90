// Candles in words: the line above the chart, the table, and what a screen reader hears.

import { grouped, padded, quantity, short } from './decimal.js';
import { secondsOf } from './timeframes.js';
import * as times from './times.js';

const RANKS = {
  partial: 'seen in part, or loss is possible',
  live: 'closed, and the connection never broke',
  venue: 'the exchange’s own candle',
  proven: 'built from an unbroken run of trade ids',
  manual: 'corrected by an operator',
};

const STATES = {
  missing: ['found next scan', 'not on the ledger yet: the next scan puts it there'],
  open: ['to be repaired', 'on the ledger, and waiting to be fetched'],
  leased: ['in repair', 'somebody is fetching it now'],
  unrecoverable: ['given up', 'the exchange did not give it'],
};

/** What the ledger says of a hole, in a word or three. */
export function stateOf(hole) {
  return STATES[hole.state]?.[0] ?? hole.state;
}

/** What that means, and the ledger's reason where it has one. */
export function reasonOf(hole) {
  return [STATES[hole.state]?.[1] ?? hole.state, hole.reason].filter(Boolean).join(': ');
}

/** What a source means, in half a sentence. */
export function meaningOf(source) {
  return RANKS[source] ?? source;
}

/** An exact price, its decimals filled and its thousands grouped. */
export function price(text, places) {
  return grouped(padded(text, places));
}

/** The volume as it was sent; of a candle folded on this page, what was added up. */
export function volume(candle) {
  return candle.text.volume === null ? quantity(candle.volume) : grouped(candle.text.volume);
}

/** When the candle opened: a day where buckets are days, else day and time. */
export function opened(candle, timeframe) {
  return times.moment(candle.time, secondsOf(timeframe) >= 86_400);
}

/** `[label, value, kind]` of all that is told of one candle. */
export function parts(candle, timeframe, places, average) {
  const prices = ['open', 'high', 'low', 'close'].map((name) => [name[0].toUpperCase(), price(candle.text[name], places), 'price']);
  return [
    ['', opened(candle, timeframe), 'time'],
    ...prices,
    ['Vol', short(candle.volume), 'minor'],
    ...(candle.trades === null ? [] : [['Trades', candle.trades.toLocaleString('en-US'), 'minor']]),
    ...(average === null ? [] : [['SMA', grouped(average.toFixed(places)), 'average']]),
    ['', candle.complete ? candle.source : 'not complete', candle.complete ? 'source' : 'incomplete'],
  ];
}

/** One sentence to be read aloud. */
export function sentence(candle, timeframe, places) {
  const [open, high, low, close] = ['open', 'high', 'low', 'close'].map((name) => price(candle.text[name], places));
  const proof = candle.complete ? candle.source : 'not complete';
  return `${opened(candle, timeframe)} ${times.zoneName()}: open ${open}, high ${high}, low ${low}, close ${close}, volume ${volume(candle)}, ${proof}.`;
}
