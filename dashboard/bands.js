// What lies behind the candles: hatched bands where candles are missing, and a fading flash where one was corrected.

import { stateOf } from './words.js';

const FLASH_MILLISECONDS = 1_600;
const HATCH_PIXELS = 7;

/** A pane primitive of lightweight-charts; times are those of drawn bars. */
export class Bands {
  constructor() {
    this.holes = [];
    this.flashes = new Map();
    this.views = [{ zOrder: () => 'bottom', renderer: () => ({ draw: (target) => target.useBitmapCoordinateSpace((scope) => this.draw(scope)) }) }];
  }

  attached({ chart, requestUpdate }) {
    this.timeScale = chart.timeScale();
    this.requestUpdate = requestUpdate;
  }

  paneViews() {
    return this.views;
  }

  paint(colours) {
    this.colours = colours;
    this.requestUpdate?.();
  }

  /** `{start, until, count, state}` each: the first missing time, the first drawn time after it, how many are missing, what the ledger says. */
  showHoles(holes) {
    this.holes = holes;
    this.requestUpdate();
  }

  /** Draw attention to the candle at `time` for a moment; who asked for less motion gets a steady light. */
  flash(time) {
    const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.flashes.set(time, { since: performance.now(), isStill });
    const step = () => {
      this.requestUpdate();
      if (this.flashes.size > 0) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  draw(scope) {
    const spacing = this.timeScale.logicalToCoordinate(1) - this.timeScale.logicalToCoordinate(0);
    for (const hole of this.holes) this.drawHole(scope, hole, spacing);
    for (const [time, flash] of this.flashes) this.drawFlash(scope, time, flash, spacing);
  }

  drawHole({ context, bitmapSize, horizontalPixelRatio: ratio }, hole, spacing) {
    const [first, after] = [this.timeScale.timeToCoordinate(hole.start), this.timeScale.timeToCoordinate(hole.until)];
    if (first === null || after === null) return;
    const left = Math.round((first - spacing / 2) * ratio);
    const width = Math.max(2, Math.round((after - spacing / 2) * ratio) - left);
    if (left > bitmapSize.width || left + width < 0) return;
    context.save();
    context.beginPath();
    context.rect(left, 0, width, bitmapSize.height);
    context.clip();
    this.hatch(context, left, width, bitmapSize.height, ratio);
    context.restore();
    this.labelHole(context, hole, left, width, ratio);
  }

  hatch(context, left, width, height, ratio) {
    context.fillStyle = this.colours.hole;
    context.globalAlpha = 0.1;
    context.fillRect(left, 0, width, height);
    context.globalAlpha = 0.35;
    context.strokeStyle = this.colours.hole;
    context.lineWidth = ratio;
    const step = HATCH_PIXELS * ratio;
    context.beginPath();
    for (let x = Math.floor((left - height) / step) * step; x < left + width; x += step) {
      context.moveTo(x, height);
      context.lineTo(x + height, 0);
    }
    context.stroke();
  }

  labelHole(context, hole, left, width, ratio) {
    const whole = `${hole.count.toLocaleString('en-US')} missing, ${stateOf(hole)}`;
    const short = `${hole.count.toLocaleString('en-US')} missing`;
    context.save();
    context.font = `600 ${11 * ratio}px ui-sans-serif, system-ui, sans-serif`;
    context.fillStyle = this.colours.hole;
    context.textAlign = 'center';
    const text = [whole, short].find((one) => context.measureText(one).width + 8 * ratio < width) ?? '◆';
    context.fillText(text, left + width / 2, 58 * ratio);
    context.restore();
  }

  drawFlash({ context, bitmapSize, horizontalPixelRatio: ratio }, time, flash, spacing) {
    const age = (performance.now() - flash.since) / FLASH_MILLISECONDS;
    if (age >= 1) this.flashes.delete(time);
    const x = this.timeScale.timeToCoordinate(time);
    if (age >= 1 || x === null) return;
    const width = Math.max(6, spacing) * ratio;
    context.save();
    context.globalAlpha = flash.isStill ? 0.35 : 0.5 * (1 - age);
    context.fillStyle = this.colours.flash;
    context.fillRect(Math.round(x * ratio - width / 2), 0, Math.round(width), bitmapSize.height);
    context.restore();
  }
}
