// The head of the page: the newest price, how it moved, the last day, and how long the open candle has to go.

import { change, short } from './decimal.js';
import { remaining, clock } from './times.js';
import { price } from './words.js';

const byId = (id) => document.getElementById(id);

/** Show the newest price, coloured by its last move. */
export function showPrice(candle, places, symbol) {
  const output = byId('price');
  const text = candle ? price(candle.text.close, places) : '–';
  if (output.value === text) return;
  const before = Number(output.dataset.drawn ?? NaN);
  output.value = text;
  output.dataset.drawn = candle?.close ?? '';
  output.dataset.move = candle && candle.close > before ? 'up' : candle && candle.close < before ? 'down' : '';
  document.title = candle ? `${text} ${symbol} · Market Data Engine` : 'Market Data Engine';
}

/** Show the last day; `day` is null while nothing is known of it. `base` is what volumes are counted in. */
export function showDay(day, candle, places, base) {
  const moved = byId('change');
  // The newest price may have gone beyond what the day was when it was asked for.
  const isHigher = day && candle?.close > Number(day.high);
  const isLower = day && candle?.close < Number(day.low);
  byId('day-high').textContent = day ? price(isHigher ? candle.text.close : day.high, places) : '–';
  byId('day-low').textContent = day ? price(isLower ? candle.text.close : day.low, places) : '–';
  byId('day-volume').textContent = day ? `${short(day.volume)} ${base}` : '–';
  const ratio = day && candle ? candle.close / day.open - 1 : null;
  moved.textContent = ratio === null ? '\u00a0' : `${change(ratio)} ${day.isWhole ? 'in 24 h' : `since ${clock(day.since)}`}`;
  moved.dataset.move = ratio === null || Math.abs(ratio) < 0.00005 ? '' : ratio > 0 ? 'up' : 'down';
}

/** Show how many seconds the open candle has to go. */
export function showCountdown(seconds) {
  byId('countdown').textContent = remaining(seconds);
}
