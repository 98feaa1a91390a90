// The last 24 hours of an instrument, from its 1h candles and the newest price.

import { newestCandles } from './api.js';
import { candleOf } from './candles.js';
import { now } from './server_clock.js';

const DAY = 86_400;

/** `{open, since, high, low, volume}` of the candles of the last 24 hours; null where there are none. */
export async function lastDay(instrument, signal) {
  const { records } = await newestCandles(instrument, '1h', 24, signal);
  const recent = records.map(candleOf).filter((candle) => candle.time > now() - DAY);
  if (recent.length === 0) return null;
  return {
    open: recent[0].open,
    since: recent[0].time,
    isWhole: recent[0].time <= now() - DAY + 3600,
    high: highest(recent),
    low: lowest(recent),
    volume: recent.reduce((sum, candle) => sum + candle.volume, 0),
  };
}

function highest(candles) {
  return candles.reduce((best, candle) => (candle.high > best.high ? candle : best)).text.high;
}

function lowest(candles) {
  return candles.reduce((best, candle) => (candle.low < best.low ? candle : best)).text.low;
}
