// What can be chosen: the symbol and the timeframe.

import { TIMEFRAMES } from './timeframes.js';

const byId = (id) => document.getElementById(id);

/** Make a button for each timeframe; `onChoice(timeframe)`. */
export function makeTimeframes(onChoice) {
  for (const [index, timeframe] of TIMEFRAMES.entries()) {
    const button = Object.assign(document.createElement('button'), { type: 'button', value: timeframe, textContent: timeframe });
    button.title = `${timeframe} (${index + 1})`;
    button.setAttribute('aria-pressed', 'false');
    button.addEventListener('click', () => onChoice(timeframe));
    byId('timeframes').append(button);
  }
}

/** Enable the timeframes that are kept. */
export function allowTimeframes(kept) {
  for (const button of byId('timeframes').children) button.disabled = !kept.includes(button.value);
}

/** Show which timeframe is chosen. */
export function markTimeframe(timeframe) {
  for (const button of byId('timeframes').children) button.setAttribute('aria-pressed', String(button.value === timeframe));
}

/** Choose the timeframe in this place, if it is kept. */
export function pressTimeframe(index) {
  byId('timeframes').children[index]?.click(); // A disabled button does nothing when clicked.
}

/** List the symbols under their exchanges; an option's value is the instrument's place in the list. */
export function fillSymbols(instruments) {
  const groups = new Map();
  for (const [index, { exchange, symbol }] of instruments.entries()) {
    if (!groups.has(exchange)) groups.set(exchange, Object.assign(document.createElement('optgroup'), { label: exchange }));
    groups.get(exchange).append(new Option(symbol, String(index)));
  }
  byId('symbol').replaceChildren(...groups.values());
  byId('symbol').disabled = false;
}
