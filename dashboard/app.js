// The page: who is shown, what was pressed, and when it is drawn. Everything else is in a module of its own.

import * as address from './address.js';
import { AlertsPage } from './alerts.js';
import * as api from './api.js';
import { CandleChart } from './chart.js';
import { allowTimeframes, fillSymbols, makeTimeframes, markTimeframe, pressTimeframe } from './choices.js';
import { showCondition } from './condition.js';
import { lastDay } from './day.js';
import { decimals } from './decimal.js';
import { FeedWatch } from './feed_watch.js';
import { listen } from './keyboard.js';
import { showLegend } from './legend.js';
import { Market } from './market.js';
import { showCountdown, showDay, showPrice } from './quote.js';
import { now } from './server_clock.js';
import { showTable } from './table.js';
import { nextTheme, onThemeChange } from './theme.js';
import { bucketOf, secondsOf, TIMEFRAMES } from './timeframes.js';
import * as times from './times.js';
import { reasonOf, sentence } from './words.js';

const DAY_MILLISECONDS = 60_000;
const INSTRUMENTS_AGAIN_MILLISECONDS = 3_000;
const DECIMALS_MAX = 10;

const byId = (id) => document.getElementById(id);

const view = { instruments: [], instrument: null, timeframe: '1m', places: 2, selected: null, isTable: false, isAlerts: false, isUnseen: false, day: null };
const feed = new FeedWatch((state) => announce(`Feed: ${state}`));
const alerts = new AlertsPage((count) => announce(count === 0 ? 'No alert fires.' : `${count} ${count === 1 ? 'alert fires' : 'alerts fire'}.`));
const pending = { changed: new Set(), flashes: new Set(), isScheduled: false };
let market = null;

const chart = new CandleChart(byId('chart'), {
  onPoint: (index) => {
    view.selected = index;
    pointOut();
  },
  onRange: ({ atEnd, nearStart }) => {
    byId('now').hidden = atEnd || !market?.history?.candles.length;
    if (nearStart) market?.loadOlder();
  },
});

async function start() {
  const asked = address.read();
  view.timeframe = TIMEFRAMES.includes(asked.timeframe) ? asked.timeframe : '1m';
  setZone(asked.zone ?? 'utc');
  setTable(asked.view === 'table');
  setAverage(asked.sma !== 'off');
  setPage(asked.page === 'alerts');
  makeTimeframes(setTimeframe);
  bind();
  setInterval(tick, 1_000);
  setInterval(askDay, DAY_MILLISECONDS);
  await findInstruments(asked);
}

async function findInstruments(asked) {
  try {
    view.instruments = (await api.instruments()).filter((instrument) => instrument.active);
  } catch (error) {
    say(`The instruments could not be loaded: ${error.message}. Trying again.`);
    setTimeout(() => findInstruments(asked), INSTRUMENTS_AGAIN_MILLISECONDS);
    return;
  }
  if (view.instruments.length === 0) {
    say('Nothing is followed yet. Add an instrument to config.yaml.');
    setTimeout(() => findInstruments(asked), INSTRUMENTS_AGAIN_MILLISECONDS);
    return;
  }
  fillSymbols(view.instruments);
  const isAsked = ({ exchange, symbol }) => symbol === asked.symbol && (asked.exchange === null || exchange === asked.exchange);
  open(view.instruments.find(isAsked) ?? view.instruments[0]);
}

function open(instrument) {
  market?.close();
  Object.assign(view, { instrument, day: null, selected: null });
  feed.watch(instrument.exchange);
  market = new Market(instrument, {
    loading: () => say('Loading candles'),
    loaded: () => drawAll({ keepView: false }),
    failed: (error) => say(`The candles could not be loaded: ${error.message}. Trying again.`),
    changed: candleChanged,
    refreshed: () => drawAll({ keepView: true }),
    status: (status) => feed.hearStatus(status),
    heard: () => feed.hearMarket(),
    connection: (state) => feed.connection(state),
    alert: () => alerts.ask(),
  });
  byId('symbol').value = String(view.instruments.indexOf(instrument));
  byId('exchange').textContent = instrument.exchange;
  showSimulated();
  allowTimeframes(instrument.timeframes);
  setTimeframe(instrument.timeframes.includes(view.timeframe) ? view.timeframe : '1m');
  askDay();
}

function setTimeframe(timeframe) {
  if (market === null) return;
  view.timeframe = timeframe;
  view.selected = null;
  markTimeframe(timeframe);
  remember();
  market.show(timeframe);
}

function moveSymbol(step) {
  const { instruments, instrument } = view;
  if (instruments.length === 0) return;
  const index = (instruments.indexOf(instrument) + step + instruments.length) % instruments.length;
  open(instruments[index]);
  announce(`${instruments[index].symbol}, ${instruments[index].exchange}`);
}

function drawAll({ keepView }) {
  const { candles } = market.history;
  pending.changed.clear();
  view.isUnseen = view.isAlerts && (view.isUnseen || !keepView);
  view.places = Math.min(DECIMALS_MAX, candles.slice(-200).reduce((most, candle) => Math.max(most, decimals(candle.text.close)), 2));
  chart.show(candles, view.timeframe, view.places, { keepView });
  chart.showHoles(market.gaps ?? []);
  if (candles.length === 0) say('No candles yet. The first one appears as soon as something is traded.');
  else byId('message').hidden = true;
  showSimulated();
  showAll();
}

/** What came in waits for the next frame: a market may move more often than a screen. */
function candleChanged(time, isRevision) {
  pending.changed.add(time);
  if (isRevision) pending.flashes.add(time);
  if (pending.isScheduled) return;
  pending.isScheduled = true;
  requestAnimationFrame(drawChanges);
}

function drawChanges() {
  pending.isScheduled = false;
  if (market?.history) {
    const { candles } = market.history;
    for (const time of pending.changed) {
      const index = chart.candles === candles ? market.history.search(time) : -1;
      if (index < 0) drawAll({ keepView: true });
      else chart.update(index, { flash: pending.flashes.has(time) });
    }
    byId('message').hidden = candles.length > 0;
    showAll();
  }
  pending.changed.clear();
  pending.flashes.clear();
}

function showAll() {
  const { candles } = market.history;
  const last = candles[candles.length - 1];
  showPrice(last, view.places, view.instrument.symbol);
  showDay(view.day, last, view.places, view.instrument.base);
  pointOut();
  showCondition(candles, market.gaps, last !== undefined && last.time + secondsOf(view.timeframe) > now());
  if (view.isTable) showTable(byId('table'), { symbol: view.instrument.symbol, timeframe: view.timeframe, candles, places: view.places });
}

function pointOut() {
  const candles = market?.history?.candles ?? [];
  const index = view.selected ?? candles.length - 1;
  showLegend(byId('legend'), candles[index], view.timeframe, view.places, average(index));
}

function average(index) {
  return byId('sma').getAttribute('aria-pressed') === 'true' ? chart.averageAt(index) : null;
}

function showSimulated() {
  const isSimulated = market?.simulated ?? false;
  byId('simulated').hidden = !isSimulated;
  document.documentElement.classList.toggle('is-simulated', isSimulated);
  chart.label(isSimulated ? 'SIMULATED' : '');
}

/** Once a second: what changes by time alone. */
function tick() {
  feed.show();
  alerts.tick();
  if (view.instrument === null) return;
  showCountdown(bucketOf(now(), view.timeframe) + secondsOf(view.timeframe) - now());
}

async function askDay() {
  const { instrument } = view;
  if (document.hidden || !instrument?.timeframes.includes('1h')) return;
  try {
    const day = await lastDay(instrument);
    if (instrument === view.instrument) view.day = day;
  } catch (error) {
    console.warn('the last day could not be loaded:', error.message);
  }
  if (market?.history) showAll();
}

function bind() {
  byId('symbol').addEventListener('change', (event) => open(view.instruments[Number(event.target.value)]));
  byId('sma').addEventListener('click', toggleAverage);
  byId('table-toggle').addEventListener('click', toggleTable);
  byId('page-market').addEventListener('click', () => turnTo(false));
  byId('page-alerts').addEventListener('click', () => turnTo(true));
  byId('theme').addEventListener('click', toggleTheme);
  byId('zone').addEventListener('click', toggleZone);
  byId('now').addEventListener('click', () => chart.showNewest());
  byId('help').addEventListener('click', () => byId('keys').showModal());
  onThemeChange(() => chart.paint());
  const actions = { '[': () => moveSymbol(-1), ']': () => moveSymbol(1), t: toggleTheme, s: toggleAverage, v: toggleTable, z: toggleZone, a: () => turnTo(!view.isAlerts) };
  Object.assign(actions, { g: showHole, End: () => chart.showNewest(), '?': () => byId('keys').showModal() });
  Object.assign(actions, { ArrowLeft: () => read(-1), ArrowRight: () => read(1) });
  listen(actions, pressTimeframe);
}

/** Move the crosshair to a neighbour and say what it is; only while the chart has the focus. */
function read(step) {
  const candles = market?.history?.candles ?? [];
  if (document.activeElement !== byId('chart') || candles.length === 0) return false;
  const from = view.selected ?? (step < 0 ? candles.length : candles.length - 2);
  const index = Math.min(candles.length - 1, Math.max(0, from + step));
  chart.select(index);
  view.selected = index;
  pointOut();
  announce(sentence(candles[index], view.timeframe, view.places));
  return true;
}

/** Go to the next hole on the left of the one shown last; after the oldest comes the newest again. */
function showHole() {
  const gaps = market?.gaps ?? [];
  if (gaps.length === 0) {
    announce('No holes.');
    return;
  }
  const older = gaps.filter((gap) => gap.start < (view.hole ?? Infinity));
  const gap = (older.length > 0 ? older : gaps)[(older.length > 0 ? older : gaps).length - 1];
  view.hole = gap.start;
  chart.showTime(gap.start);
  announce(`Hole of ${gap.count} candles from ${times.moment(gap.start)}: ${reasonOf(gap)}.`);
}

function toggleTheme() {
  announce(`Theme: ${nextTheme()}`);
}

function toggleZone() {
  setZone(address.read().zone === 'local' ? 'utc' : 'local');
  remember();
  alerts.draw();
  chart.paint();
  if (market?.history) showAll();
}

function setZone(zone) {
  times.setZone(zone);
  view.zone = zone === 'local' ? 'local' : null;
  byId('zone').textContent = times.zoneName();
}

function toggleAverage() {
  setAverage(byId('sma').getAttribute('aria-pressed') !== 'true');
  remember();
  pointOut();
}

function setAverage(isVisible) {
  byId('sma').setAttribute('aria-pressed', String(isVisible));
  chart.showAverage(isVisible);
}

function toggleTable() {
  setTable(!view.isTable);
  remember();
  if (market?.history) showAll();
  if (view.isTable) byId('table').focus();
}

/** The market, or the alerts of all. */
function turnTo(isAlerts) {
  setPage(isAlerts);
  remember();
  announce(isAlerts ? 'Alerts' : 'Market');
  // What was loaded while it was hidden had no width to be laid out in.
  if (!isAlerts && view.isUnseen) requestAnimationFrame(() => drawAll({ keepView: false }));
}

function setPage(isAlerts) {
  view.isAlerts = isAlerts;
  byId('market').hidden = isAlerts;
  alerts.show(isAlerts);
  for (const [id, isShown] of [['page-market', !isAlerts], ['page-alerts', isAlerts]]) {
    if (isShown) byId(id).setAttribute('aria-current', 'page');
    else byId(id).removeAttribute('aria-current');
  }
}

function setTable(isTable) {
  view.isTable = isTable;
  byId('table').hidden = !isTable;
  byId('table-toggle').setAttribute('aria-pressed', String(isTable));
}

function remember() {
  const { exchange, symbol } = view.instrument ?? {};
  const sma = byId('sma').getAttribute('aria-pressed') === 'true' ? null : 'off';
  address.write({ exchange, symbol, timeframe: view.timeframe, zone: view.zone, view: view.isTable ? 'table' : null, sma, page: view.isAlerts ? 'alerts' : null });
}

function announce(text) {
  byId('reading').textContent = text;
}

function say(text) {
  byId('message').textContent = text;
  byId('message').hidden = false;
}

start();
