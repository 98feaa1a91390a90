// The timeframes that candles are kept in, and where their buckets begin. Times are seconds since the epoch.

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;
// 1970-01-01 was a Thursday; weekly buckets begin on Mondays.
const MONDAY = 4 * DAY;

const SECONDS = {
  '1m': MINUTE,
  '5m': 5 * MINUTE,
  '15m': 15 * MINUTE,
  '1h': 60 * MINUTE,
  '4h': 240 * MINUTE,
  '12h': 720 * MINUTE,
  '1d': DAY,
  '1w': 7 * DAY,
};

export const TIMEFRAMES = Object.keys(SECONDS);

/** How long one bucket of this timeframe is. */
export function secondsOf(timeframe) {
  return SECONDS[timeframe];
}

/** The opening of the bucket that holds `time`. */
export function bucketOf(time, timeframe) {
  const length = SECONDS[timeframe];
  return time - ((((time - MONDAY) % length) + length) % length);
}
