// What the page shows, in its own address: a link or a reload shows the same.

/** The state that the address asks for; what it does not name is null. */
export function read() {
  const query = new URLSearchParams(location.search);
  const names = ['exchange', 'symbol', 'timeframe', 'zone', 'view', 'sma', 'page'];
  return Object.fromEntries(names.map((name) => [name, query.get(name)]));
}

/** Write `state` into the address; nulls are left out, and what others put there stays. */
export function write(state) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(state)) {
    if (value === null || value === undefined) query.delete(name);
    else query.set(name, value);
  }
  history.replaceState(null, '', `?${query}`);
}
