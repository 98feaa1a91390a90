// The line that says how far the candles on display can be trusted.

import { countSources } from './candles.js';
import { meaningOf, reasonOf, stateOf } from './words.js';

const SOURCES = ['proven', 'manual', 'venue', 'live', 'partial'];

const REASONS_MAX = 5;

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
  const text = `${number(gaps.length)} ${gaps.length === 1 ? 'hole' : 'holes'}, ${number(missing)} missing (${states(gaps)})`;
  const reasons = [...new Set(gaps.map(reasonOf))].slice(0, REASONS_MAX).join('\n');
  const item = part(text, `closed buckets that are neither held nor known to be without trades\n${reasons}`);
  item.className = 'holes';
  return item;
}

function states(gaps) {
  const counts = new Map();
  for (const gap of gaps) counts.set(stateOf(gap), (counts.get(stateOf(gap)) ?? 0) + gap.count);
  if (counts.size === 1) return [...counts.keys()][0];
  return [...counts].map(([state, count]) => `${number(count)} ${state}`).join(', ');
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
