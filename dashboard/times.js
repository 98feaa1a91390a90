// Times for people, in UTC or in the visitor's own zone. Times are seconds since the epoch.

let zone = 'UTC';
const formats = new Map();

/** `utc` or `local`. */
export function setZone(name) {
  zone = name === 'local' ? undefined : 'UTC';
  formats.clear();
}

/** What the chosen zone is called: "UTC", "GMT+2". */
export function zoneName() {
  if (zone === 'UTC') return 'UTC';
  const parts = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' }).formatToParts(new Date());
  return parts.find((part) => part.type === 'timeZoneName').value;
}

/** "21 Nov 03:15", of days only "21 Nov 2026". */
export function moment(time, isDay = false) {
  const options = isDay ? { day: 'numeric', month: 'short', year: 'numeric' } : { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' };
  return format(`moment ${isDay}`, options, time).replace(',', '');
}

/** "03:15". */
export function clock(time) {
  return format('clock', { hour: '2-digit', minute: '2-digit' }, time);
}

/** "21 Nov". */
export function day(time) {
  return format('day', { day: 'numeric', month: 'short' }, time);
}

/** "Nov 2026", "2026". */
export function monthOrYear(time, isYear) {
  return format(`month ${isYear}`, isYear ? { year: 'numeric' } : { month: 'short', year: 'numeric' }, time);
}

/** A length of time in its two largest units: "42 s", "3 min 05 s", "2 h 10 min", "3 d 4 h". */
export function lasting(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes, rest] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min`;
  if (minutes > 0) return `${minutes} min ${String(rest).padStart(2, '0')} s`;
  return `${rest} s`;
}

/** What is left on a clock's face: "0:42", "1:02:03", "3 d 4 h". */
export function remaining(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole >= 86_400) return lasting(whole);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(rest).padStart(2, '0')}`;
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`;
}

function format(name, options, time) {
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour12: false, ...options }));
  return formats.get(name).format(new Date(time * 1000));
}
