// The time of day by the server's clock: a visitor's own may be wrong, and ages and countdowns would be with it.

let offsetMilliseconds = 0;

/** Seconds since the epoch. */
export function now() {
  return (Date.now() + offsetMilliseconds) / 1000;
}

/** Learn the difference from a response's Date header; below two seconds it is the header's own coarseness. */
export function learn(response) {
  const date = Date.parse(response.headers.get('Date') ?? '');
  if (Number.isNaN(date)) return;
  const difference = date + 500 - Date.now();
  offsetMilliseconds = Math.abs(difference) < 2_000 ? 0 : difference;
}
