// The drawing: candles, volume, the moving average, holes and flashes. Knows the library; nothing else does.

import {
  CandlestickSeries,
  createChart,
  createTextWatermark,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  TickMarkType,
} from './vendor/lightweight-charts-5.2.1.mjs';
import { Bands } from './bands.js';
import { movingAverage } from './candles.js';
import { grouped } from './decimal.js';
import { secondsOf } from './timeframes.js';
import * as times from './times.js';

const AVERAGE_LENGTH = 10;
// A long hole is drawn this many bars wide at most; its label says how long it really is.
const HOLE_BARS_MAX = 60;
const BARS_IN_VIEW = 140;

export class CandleChart {
  /** `onPoint(index | null)` follows the crosshair, `onRange({atEnd, nearStart})` what is in view. */
  constructor(element, { onPoint, onRange }) {
    this.element = element;
    this.candles = [];
    this.timeframe = '1m';
    this.averages = [];
    this.bars = [];
    this.watermarkText = '';
    this.chart = createChart(element, LAYOUT);
    this.series = this.chart.addSeries(CandlestickSeries, { borderVisible: true, priceLineStyle: 1 });
    this.average = this.chart.addSeries(LineSeries, { lineWidth: 2, ...BARE });
    this.volume = this.chart.addSeries(HistogramSeries, { priceFormat: { type: 'volume' }, ...BARE, lastValueVisible: false }, 1);
    const [main, below] = this.chart.panes();
    main.setStretchFactor(5);
    below.setStretchFactor(1);
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.22, bottom: 0 } });
    this.bands = new Bands();
    main.attachPrimitive(this.bands);
    this.watermark = createTextWatermark(main, { visible: false });
    this.chart.subscribeCrosshairMove((point) => onPoint(point.time === undefined ? null : this.indexAt(point.time)));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => range && onRange(this.describe(range)));
    this.paint();
  }

  /** Take the colours from the style sheet, which knows the theme. */
  paint() {
    this.colours = coloursOf(this.element);
    const { text, grid, axis, up, down, average, ink } = this.colours;
    this.chart.applyOptions({
      layout: { background: { color: 'transparent' }, textColor: text, panes: { separatorColor: axis, separatorHoverColor: grid } },
      grid: { vertLines: { color: grid }, horzLines: { color: grid } },
      timeScale: { borderColor: axis },
      rightPriceScale: { borderColor: axis },
      crosshair: { vertLine: { color: text, labelBackgroundColor: ink }, horzLine: { color: text, labelBackgroundColor: ink } },
    });
    this.series.applyOptions({ upColor: up, downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down });
    this.average.applyOptions({ color: average });
    this.bands.paint(this.colours);
    this.label(this.watermarkText);
    this.draw();
  }

  /** Write what the data is behind the candles: a picture of the chart must not pass for a real market. */
  label(text) {
    this.watermarkText = text;
    const size = Math.min(72, Math.max(30, this.element.clientWidth / 12));
    const lines = [{ text, color: this.colours.watermark, fontSize: size, fontStyle: '700', fontFamily: FONT }];
    this.watermark.applyOptions({ visible: text !== '', horzAlign: 'center', vertAlign: 'center', lines });
  }

  /** Show these candles; `keepView` where the visitor stays where he looks. */
  show(candles, timeframe, decimals, { keepView = false } = {}) {
    const view = keepView ? this.chart.timeScale().getVisibleRange() : null;
    this.candles = candles;
    this.timeframe = timeframe;
    this.chart.applyOptions({ timeScale: { timeVisible: secondsOf(timeframe) < 86_400 } });
    const formatter = (price) => grouped(price.toFixed(decimals));
    this.series.applyOptions({ priceFormat: { type: 'custom', formatter, minMove: 10 ** -decimals } });
    this.draw();
    if (view) this.chart.timeScale().setVisibleRange(view);
    else this.showNewest();
  }

  /** Draw one candle anew, or one more. */
  update(index, { flash = false } = {}) {
    const candle = this.candles[index];
    if (index !== this.candles.length - 1 || !this.follows(candle)) {
      this.draw(); // In the middle, or after a hole: rare, and 10,000 candles take 20 ms.
    } else {
      if (candle.time !== this.drawnUntil) this.bars.push(candle);
      this.series.update(this.bar(candle));
      this.volume.update(this.column(candle));
      this.averages[index] = movingAverage(this.candles, AVERAGE_LENGTH, this.timeframe, index)[0];
      this.average.update(this.point(index));
      this.drawnUntil = candle.time;
    }
    if (flash) this.bands.flash(candle.time);
  }

  /** Holes to hatch: `{start, end, count}`. */
  showHoles(holes) {
    this.bands.showHoles(holes.map((hole) => ({ ...hole, until: this.drawnEnd(hole) })));
  }

  showAverage(isVisible) {
    this.average.applyOptions({ visible: isVisible });
  }

  showNewest() {
    const bars = this.bars.length;
    const width = this.element.clientWidth;
    const inView = Math.min(BARS_IN_VIEW, Math.max(40, Math.min(bars, Math.floor(width / 8))));
    this.chart.timeScale().setVisibleLogicalRange({ from: bars - inView, to: bars + Math.max(2, inView / 24) });
  }

  /** Bring `time` into the middle. */
  showTime(time) {
    const step = secondsOf(this.timeframe);
    this.chart.timeScale().setVisibleRange({ from: time - 40 * step, to: Math.min(time + 40 * step, this.candles[this.candles.length - 1].time) });
  }

  /** Put the crosshair on a candle, or with null take it away. */
  select(index) {
    const candle = this.candles[index];
    if (candle) this.chart.setCrosshairPosition(candle.close, candle.time, this.series);
    else this.chart.clearCrosshairPosition();
  }

  averageAt(index) {
    return this.averages[index] ?? null;
  }

  indexAt(time) {
    const index = this.candles.findIndex((candle) => candle.time === time);
    return index < 0 ? null : index;
  }

  draw() {
    this.averages = movingAverage(this.candles, AVERAGE_LENGTH, this.timeframe);
    this.bars = this.withWhitespace();
    this.drawnUntil = this.candles[this.candles.length - 1]?.time;
    this.series.setData(this.bars);
    this.volume.setData(this.candles.map((candle) => this.column(candle)));
    this.average.setData(this.candles.map((_, index) => this.point(index)));
  }

  /** Bars, and in a hole times without a bar, so that the hole takes its room. */
  withWhitespace() {
    const step = secondsOf(this.timeframe);
    const bars = [];
    for (const [index, candle] of this.candles.entries()) {
      const start = index === 0 ? candle.time : this.candles[index - 1].time + step;
      const end = Math.min(candle.time, start + HOLE_BARS_MAX * step);
      for (let time = start; time < end; time += step) bars.push({ time });
      bars.push(this.bar(candle));
    }
    return bars;
  }

  drawnEnd(hole) {
    return Math.min(hole.end, hole.start + HOLE_BARS_MAX * secondsOf(this.timeframe));
  }

  follows(candle) {
    return candle.time === this.drawnUntil || candle.time === this.drawnUntil + secondsOf(this.timeframe);
  }

  /** A candle that is not complete is hollow. */
  bar(candle) {
    const { time, open, high, low, close } = candle;
    if (candle.complete) return { time, open, high, low, close };
    return { time, open, high, low, close, color: this.colours[close >= open ? 'upFaint' : 'downFaint'] };
  }

  point(index) {
    return averagePoint(this.candles[index].time, this.averages[index], this.averages[index + 1]);
  }

  column(candle) {
    return { time: candle.time, value: candle.volume, color: this.colours[candle.close >= candle.open ? 'upVolume' : 'downVolume'] };
  }

  describe(range) {
    return { atEnd: range.to >= this.bars.length - 1, nearStart: range.from < 20 };
  }
}

/** The library joins a line over points without a value: a last point without colour breaks it. */
function averagePoint(time, value, next) {
  if (value === null) return { time };
  return next === null ? { time, value, color: 'transparent' } : { time, value };
}

const FONT = 'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

const BARE = { priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false };

const LAYOUT = {
  autoSize: true,
  layout: { fontFamily: FONT, fontSize: 12, attributionLogo: true },
  crosshair: { mode: CrosshairMode.Normal },
  rightPriceScale: { scaleMargins: { top: 0.12, bottom: 0.08 }, minimumWidth: 72 },
  timeScale: { secondsVisible: false, rightOffset: 6, minBarSpacing: 1.5, tickMarkFormatter: tickMark },
  localization: { timeFormatter: (time) => times.moment(time) },
};

function tickMark(time, type) {
  switch (type) {
    case TickMarkType.Year:
      return times.monthOrYear(time, true);
    case TickMarkType.Month:
      return times.monthOrYear(time, false);
    case TickMarkType.DayOfMonth:
      return times.day(time);
    default:
      return times.clock(time);
  }
}

function coloursOf(element) {
  const style = getComputedStyle(element);
  const names = ['text', 'grid', 'axis', 'ink', 'up', 'down', 'up-faint', 'down-faint', 'up-volume', 'down-volume', 'average', 'watermark', 'hole', 'flash'];
  const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  return Object.fromEntries(names.map((name) => [camel(name), style.getPropertyValue(`--chart-${name}`).trim()]));
}
