// Candles as this page holds them, and the arithmetic on them. Pure: no page, no network, no clock.

import { drawn } from './decimal.js';
import { bucketOf, secondsOf } from './timeframes.js';

const RANKS = ['partial', 'live', 'venue', 'proven', 'manual'];

/**
 * The candle of one record of /v1/candles or of the stream. Prices and volume are numbers for drawing; `text` keeps what
 * was sent. `time` is its opening in seconds.
 */
export function candleOf(record) {
  return {
    time: Date.parse(record.open_time) / 1000,
    open: drawn(record.open),
    high: drawn(record.high),
    low: drawn(record.low),
    close: drawn(record.close),
    volume: drawn(record.volume),
    trades: record.trades,
    complete: record.complete,
    source: record.source,
    closed: record.closed === true,
    text: { open: record.open, high: record.high, low: record.low, close: record.close, volume: record.volume },
  };
}

/**
 * The coarse candle of 1m candles, oldest first, all of one bucket. It is complete when each of the bucket's minutes is
 * there and complete; a minute without trades has no candle, so only the store can say that such a bucket is complete.
 */
export function fold(minutes, timeframe) {
  const [first, last] = [minutes[0], minutes[minutes.length - 1]];
  let [high, low, volume, trades, rank] = [first, first, 0, 0, RANKS.length - 1];
  let complete = minutes.length === secondsOf(timeframe) / 60;
  for (const minute of minutes) {
    if (minute.high > high.high) high = minute;
    if (minute.low < low.low) low = minute;
    volume += minute.volume;
    trades = trades === null || minute.trades === null ? null : trades + minute.trades;
    rank = Math.min(rank, RANKS.indexOf(minute.source));
    complete &&= minute.complete;
  }
  return {
    time: bucketOf(first.time, timeframe),
    open: first.open,
    high: high.high,
    low: low.low,
    close: last.close,
    volume,
    trades,
    complete,
    source: complete ? RANKS[rank] : 'partial',
    closed: false,
    text: { open: first.text.open, high: high.text.high, low: low.text.low, close: last.text.close, volume: null },
  };
}

/** Whether `candle` knows no less than `other` of the same bucket; an open candle says less than a closed one. */
export function isNewer(candle, other) {
  if (candle.closed || other === undefined) return true;
  if (other.closed) return false;
  return candle.trades === null || other.trades === null || candle.trades >= other.trades;
}

/** The mean of the last `length` closes at each candle; null until that many stand side by side without a hole. */
export function movingAverage(candles, length, timeframe, from = 0) {
  const step = secondsOf(timeframe);
  const means = [];
  for (let index = from; index < candles.length; index += 1) {
    const first = index - length + 1;
    const contiguous = first >= 0 && candles[index].time - candles[first].time === (length - 1) * step;
    means.push(contiguous ? meanOfCloses(candles, first, index) : null);
  }
  return means;
}

function meanOfCloses(candles, first, last) {
  let sum = 0;
  for (let index = first; index <= last; index += 1) sum += candles[index].close;
  return sum / (last - first + 1);
}

/** The stretches without a candle between candles: `{start, end, count}`, end excluded. */
export function missing(candles, timeframe) {
  const step = secondsOf(timeframe);
  const stretches = [];
  for (let index = 1; index < candles.length; index += 1) {
    const start = candles[index - 1].time + step;
    const end = candles[index].time;
    if (end > start) stretches.push({ start, end, count: (end - start) / step });
  }
  return stretches;
}

/** How many candles there are of each source: `{proven: 996, partial: 4}`. */
export function countSources(candles) {
  const counts = {};
  for (const candle of candles) counts[candle.source] = (counts[candle.source] ?? 0) + 1;
  return counts;
}
