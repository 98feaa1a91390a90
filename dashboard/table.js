// The candles as a table: the same facts for those who read better than they look at charts.

import { meaningOf, opened, price, volume } from './words.js';
import * as times from './times.js';

const ROWS_MAX = 200;
const COLUMNS = ['Open', 'High', 'Low', 'Close', 'Volume', 'Trades', 'Source'];

/** Fill `element` with the newest candles, newest first. */
export function showTable(element, { symbol, timeframe, candles, places }) {
  const table = document.createElement('table');
  table.createCaption().textContent = `${symbol}, ${timeframe}, newest first`;
  const head = table.createTHead().insertRow();
  for (const name of [`Opened (${times.zoneName()})`, ...COLUMNS]) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.textContent = name;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const candle of candles.slice(-ROWS_MAX).reverse()) fill(body.insertRow(), candle, timeframe, places);
  element.replaceChildren(table);
}

function fill(row, candle, timeframe, places) {
  const prices = ['open', 'high', 'low', 'close'].map((name) => price(candle.text[name], places));
  const trades = candle.trades === null ? '–' : candle.trades.toLocaleString('en-US');
  const source = candle.complete ? candle.source : 'not complete';
  for (const text of [opened(candle, timeframe), ...prices, volume(candle), trades, source]) row.insertCell().textContent = text;
  row.lastElementChild.title = meaningOf(candle.source);
  row.classList.toggle('incomplete', !candle.complete);
}
