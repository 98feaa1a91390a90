// The candles on display, kept true while 1m candles come in. Pure: no page, no network, no clock.

import { candleOf, fold, isNewer } from './candles.js';
import { bucketOf, secondsOf } from './timeframes.js';

const CANDLES_MAX = 10_000;

/**
 * What is held of one instrument in one timeframe, oldest first.
 *
 * Above 1m the bucket that is still open is folded from its 1m candles, all of which must have been given: `minutes` are
 * the 1m records since `minutesFrom`, a bucket's opening.
 */
export class History {
  constructor(timeframe, records, minutes = [], minutesFrom = Infinity) {
    this.timeframe = timeframe;
    this.candles = records.map(candleOf);
    this.minutes = new Map();
    this.minutesFrom = minutesFrom;
    this.stale = false;
    for (const record of minutes) this.apply(record);
  }

  /** Whether older candles may still be loaded. */
  get hasRoom() {
    return this.candles.length < CANDLES_MAX;
  }

  get last() {
    return this.candles[this.candles.length - 1];
  }

  /**
   * Take in a record; returns the index of the candle that it changed, or null if it changed none. Above 1m a record of
   * the timeframe shown is a candle that was rolled up again after its bucket had ended; others do not count. `stale`
   * becomes true when a 1m record belongs to a bucket that only the store can tell about.
   */
  apply(record) {
    if (record.timeframe !== '1m') return this.applyRolledUp(record);
    const minute = candleOf(record);
    if (this.timeframe === '1m') return isNewer(minute, this.at(minute.time)) ? this.put(minute) : null;
    const bucket = bucketOf(minute.time, this.timeframe);
    if (bucket < this.minutesFrom) {
      this.stale ||= minute.closed;
      return null;
    }
    if (!isNewer(minute, this.minutes.get(minute.time))) return null;
    this.minutes.set(minute.time, minute);
    return this.put(fold(this.minutesOf(bucket), this.timeframe));
  }

  applyRolledUp(record) {
    const candle = candleOf(record);
    if (record.timeframe !== this.timeframe || candle.time >= this.minutesFrom) return null;
    return isNewer(candle, this.at(candle.time)) ? this.put(candle) : null;
  }

  /** Take in what the store says; of what is still open, the stream may have told more. */
  merge(records) {
    const openFrom = this.timeframe === '1m' ? (this.last?.time ?? 0) - 60 : this.minutesFrom;
    const byTime = new Map(this.candles.map((candle) => [candle.time, candle]));
    for (const candle of records.map(candleOf)) {
      if (candle.time < openFrom || isNewer(candle, byTime.get(candle.time))) byTime.set(candle.time, candle);
    }
    this.candles = [...byTime.values()].sort((one, other) => one.time - other.time).slice(-CANDLES_MAX);
    this.stale = false;
  }

  /** The candle that opened at `time`. */
  at(time) {
    const index = this.search(time);
    return this.candles[index]?.time === time ? this.candles[index] : undefined;
  }

  put(candle) {
    const index = this.search(candle.time);
    const replaces = this.candles[index]?.time === candle.time;
    this.candles.splice(index, replaces ? 1 : 0, candle);
    if (!replaces) this.forgetOldMinutes();
    return index;
  }

  minutesOf(bucket) {
    const minutes = [];
    for (let time = bucket; time < bucket + secondsOf(this.timeframe); time += 60) {
      const minute = this.minutes.get(time);
      if (minute !== undefined) minutes.push(minute);
    }
    return minutes;
  }

  /** A bucket's last minute is announced when the next bucket has begun, so one bucket more than the open one is kept. */
  forgetOldMinutes() {
    const from = Math.max(this.minutesFrom, this.last.time - secondsOf(this.timeframe));
    if (from === this.minutesFrom || from === Infinity) return;
    this.minutesFrom = from;
    for (const time of this.minutes.keys()) if (time < from) this.minutes.delete(time);
  }

  /** The index of the first candle that opened at or after `time`; looked for from the end, where the news is. */
  search(time) {
    let index = this.candles.length;
    while (index > 0 && this.candles[index - 1].time >= time) index -= 1;
    return index;
  }
}
