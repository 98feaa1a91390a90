// Decimals arrive as text, exact. Text is what people read; numbers are for drawing only.

/** The number to draw at, from exact text. */
export function drawn(text) {
  return text === null || text === undefined ? null : Number(text);
}

/** Exact text with its thousands grouped: "64123.450" gives "64,123.450". */
export function grouped(text) {
  const [, sign, whole, rest] = /^(-?)(\d+)(.*)$/.exec(text) ?? [];
  if (whole === undefined) return text;
  return sign.replace('-', '−') + whole.replace(/\B(?=(\d{3})+$)/g, ',') + rest;
}

/** How many decimals are written out. */
export function decimals(text) {
  return (/\.(\d+)$/.exec(text)?.[1] ?? '').length;
}

/** Exact text, filled with zeros to `places` decimals so that digits stand below each other. */
export function padded(text, places) {
  const missing = places - decimals(text);
  if (missing <= 0) return text;
  return (text.includes('.') ? text : `${text}.`) + '0'.repeat(missing);
}

/** A quantity for people: five significant digits at least, thousands grouped. */
export function quantity(number) {
  const places = number >= 1000 ? 1 : number >= 10 ? 3 : 5;
  return number.toLocaleString('en-US', { maximumFractionDigits: places });
}

/** A large quantity in short: 12.4K, 3.1M. */
export function short(number) {
  return number < 10_000 ? quantity(number) : number.toLocaleString('en-US', { notation: 'compact', maximumFractionDigits: 1 });
}

/** A ratio as signed per cent with its direction as a shape: "▲ 1.23 %". */
export function change(ratio) {
  const percent = Math.abs(ratio * 100).toFixed(2);
  const shape = percent === '0.00' ? '■' : ratio > 0 ? '▲' : '▼';
  return `${shape} ${percent} %`;
}
