// Alerts in words and shapes: what is wrong, since when, and who was told of it. Pure.

import { lasting } from './times.js';

/** Each severity's own shape, so that colour is never all there is: drawn in a 12 by 12 box. */
export const SHAPES = {
  info: 'M6 1a5 5 0 1 1 0 10a5 5 0 0 1 0-10z',
  warning: 'M6 .6L11.4 10.6H.6z',
  error: 'M6 .4L11.6 6L6 11.6L.4 6z',
  critical: 'M1.4 1.4h9.2v9.2H1.4z',
};

const DELIVERY = {
  waiting: 'waits',
  held: 'held back by quiet hours',
  delivered: 'delivered',
  dead: 'given up',
  digested: 'told with others',
};

/** Whom it is about: "coinbase BTC-USD", "coinbase", or nobody in particular. */
export function subject({ exchange, symbol }) {
  return [exchange, symbol].filter(Boolean).join(' ');
}

/** How long it has held, or held; `now` in seconds. */
export function lengthOf(alert, now) {
  const seconds = alert.seconds ?? now - Date.parse(alert.started_at) / 1000;
  return alert.state === 'firing' ? `for ${lasting(seconds)}` : `lasted ${lasting(seconds)}`;
}

/** What became of telling one target: "hook: delivered (200)", "pager: waits, 3 tries, last 500". */
export function delivered({ target, state, tries }) {
  const last = tries.at(-1);
  const answer = last === undefined ? '' : answerOf(last);
  if (state === 'delivered' && tries.length === 1) return `${target}: delivered (${answer})`;
  const tried = tries.length > 0 ? `, ${tries.length} ${tries.length === 1 ? 'try' : 'tries'}, last ${answer}` : '';
  return `${target}: ${DELIVERY[state] ?? state}${tried}`;
}

/** What a receiver answered to one try: its HTTP status, or why there is none. */
export function answerOf({ status, error }) {
  return status === null ? error || 'no answer' : String(status);
}
