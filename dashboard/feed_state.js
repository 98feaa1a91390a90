// What can honestly be said of the feed, from what was heard of it and when. Pure.

// A feed speaks every few seconds; the API draws the same line.
const SILENCE_SECONDS_MAX = 30;

/** Each state's own shape, so that colour is never all there is: drawn in a 12 by 12 box. */
export const SHAPES = {
  unknown: 'M6 1.2a4.8 4.8 0 1 1 0 9.6a4.8 4.8 0 0 1 0-9.6zM6 2.6a3.4 3.4 0 1 0 0 6.8a3.4 3.4 0 0 0 0-6.8z',
  live: 'M6 1a5 5 0 1 1 0 10a5 5 0 0 1 0-10z',
  stale: 'M6 .6L11.4 10.6H.6z',
  connecting: 'M6 .4L11.6 6L6 11.6L.4 6z',
  down: 'M1.4 1.4h9.2v9.2H1.4z',
};

/**
 * `{state, age}`: the state is one of SHAPES, the age is the seconds since anything came from the exchange, or null.
 *
 * `status` is what the feed last said of itself (a row of /v1/status or a status event) or null; `heardAt` is when the
 * stream last brought news of the market, `isConnected` whether the stream is open.
 */
export function feedState({ status, heardAt, isConnected, now }) {
  const times = [Date.parse(status?.last_message_at ?? '') / 1000, heardAt ?? NaN].filter((time) => !Number.isNaN(time));
  const age = times.length > 0 ? Math.max(0, now - Math.max(...times)) : null;
  if (!isConnected) return { state: 'connecting', age };
  if (status === null) return { state: 'unknown', age };
  const saidAt = Date.parse(status.updated_at ?? '') / 1000;
  // A feed that has died says nothing any more: its last word, "live", is no news.
  if (now - Math.max(saidAt || 0, heardAt ?? 0) > SILENCE_SECONDS_MAX) return { state: 'unknown', age };
  if (status.state === 'stopped') return { state: 'down', age };
  return { state: status.state in SHAPES ? status.state : 'unknown', age };
}
