// The line above the candles: all that is told of one of them.

import { parts } from './words.js';

/** Show `candle`; undefined empties the line. `average` is null where there is none or it is not wanted. */
export function showLegend(element, candle, timeframe, places, average) {
  const told = candle === undefined ? [] : parts(candle, timeframe, places, average);
  element.replaceChildren(...told.map(part));
  if (candle) element.dataset.move = candle.close >= candle.open ? 'up' : 'down';
}

function part([label, value, kind]) {
  const span = document.createElement('span');
  span.className = kind;
  if (label) span.append(Object.assign(document.createElement('b'), { textContent: label }), ' ');
  span.append(value);
  return span;
}
