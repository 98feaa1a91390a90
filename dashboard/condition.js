// The line that says how far the candles on display can be trusted.

import { countSources } from './candles.js';
import { meaningOf } from './words.js';

const SOURCES = ['proven', 'manual', 'venue', 'live', 'partial'];

const byId = (id) => document.getElementById(id);

/** Show the proof of `candles` and the holes between them (null: not known); the candle still open is counted apart. */
export function showCondition(candles, gaps, isLastOpen) {
  const closed = isLastOpen ? candles.slice(0, -1) : candles;
  const counts = countSources(closed);
  byId('proof').replaceChildren(...SOURCES.filter((source) => counts[source]).map((source) => stripe(source, counts[source])));
  const parts = SOURCES.filter((source) => counts[source]).map((source) => part(`${number(counts[source])} ${source}`, meaningOf(source)));
  if (isLastOpen) parts.push(part('1 open', 'its bucket has not ended yet'));
  parts.push(holes(gaps));
  const line = byId('condition');
  line.replaceChildren(...parts.flatMap((item, index) => (index === 0 ? [item] : [' · ', item])));
}

function holes(gaps) {
  if (gaps === null) return part('holes not judged yet', 'a bucket is judged two minutes after it closed');
  const missing = gaps.reduce((sum, gap) => sum + gap.count, 0);
  if (missing === 0) return part('no holes', 'every closed bucket is held, or known to be without trades');
  const text = `${number(gaps.length)} ${gaps.length === 1 ? 'hole' : 'holes'}, ${number(missing)} missing`;
  const item = part(text, 'closed buckets that are neither held nor known to be without trades');
  item.className = 'holes';
  return item;
}

function part(text, title) {
  const item = document.createElement('span');
  item.textContent = text;
  item.title = title;
  return item;
}

function stripe(source, count) {
  const item = document.createElement('i');
  item.dataset.source = source;
  item.style.flexGrow = count;
  return item;
}

function number(count) {
  return count.toLocaleString('en-US');
}
