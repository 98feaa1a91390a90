// The page of alerts: what fires, what fired, and who was told. Muting and sending again are the command line's.

import { alerts } from './api.js';
import { answerOf, delivered, lengthOf, SHAPES, subject } from './alert_words.js';
import { now } from './server_clock.js';
import * as times from './times.js';

const AGAIN_MILLISECONDS = 30_000;
const SHOWN_MAX = 100;
const SVG = 'http://www.w3.org/2000/svg';

const byId = (id) => document.getElementById(id);

export class AlertsPage {
  /** `onFiring(count)` when another number of alerts fires than before. */
  constructor(onFiring) {
    this.onFiring = onFiring;
    this.firing = null;
    this.isShown = false;
    this.found = null;
    setInterval(() => this.ask(), AGAIN_MILLISECONDS);
    document.addEventListener('visibilitychange', () => this.ask());
    this.ask();
  }

  show(isShown) {
    this.isShown = isShown;
    byId('alerts').hidden = !isShown;
    if (isShown) this.ask();
  }

  /** Ask what there is: every half minute, when the stream tells of an alert, and when somebody looks. */
  async ask() {
    if (document.hidden) return;
    this.abort?.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    try {
      const [firing, all] = await Promise.all([
        alerts('firing', SHOWN_MAX, signal),
        this.isShown ? alerts('all', SHOWN_MAX, signal) : null,
      ]);
      if (signal.aborted) return;
      this.count(firing.data.length, firing.next_cursor !== null);
      if (all !== null) this.found = { firing: firing.data, past: all.data.filter((alert) => alert.state !== 'firing') };
      this.draw();
      this.say('');
    } catch (error) {
      if (!signal.aborted) this.say(`The alerts could not be loaded: ${error.message}. Trying again.`);
    }
  }

  /** Draw what is known; what was opened stays open, and what had the focus has it. */
  draw() {
    if (!this.isShown || this.found === null) return;
    const open = new Set([...byId('alerts').querySelectorAll('details[open]')].map((details) => details.dataset.id));
    const focused = document.activeElement?.closest('#alerts details')?.dataset.id;
    fill(byId('alerts-firing'), this.found.firing, open, 'Nothing fires.');
    fill(byId('alerts-past'), this.found.past, open, 'Nothing has fired and ended lately.');
    byId('alerts').querySelector(`details[data-id="${focused}"] summary`)?.focus();
  }

  /** Once a second: how long what fires has held. */
  tick() {
    if (!this.isShown || this.found === null) return;
    const lengths = byId('alerts-firing').querySelectorAll('.length');
    this.found.firing.forEach((alert, index) => {
      if (lengths[index]) lengths[index].textContent = lengthOf(alert, now());
    });
  }

  count(number, isMore) {
    const text = number === 0 ? '' : `${number}${isMore ? '+' : ''}`;
    byId('alerts-count').textContent = text;
    byId('alerts-count').hidden = number === 0;
    if (this.firing !== null && this.firing !== number) this.onFiring(number);
    this.firing = number;
  }

  say(text) {
    byId('alerts-message').textContent = text;
    byId('alerts-message').hidden = text === '';
  }
}

function fill(list, found, open, nothing) {
  const items = found.map((alert) => item(alert, open.has(alert.id)));
  list.replaceChildren(...(items.length > 0 ? items : [make('li', 'nothing', nothing)]));
}

function item(alert, isOpen) {
  const one = make('li', 'alert');
  one.dataset.severity = alert.severity;
  one.dataset.state = alert.state;
  const head = make('div', 'alert-head');
  head.append(shape(alert.severity), make('span', 'severity', alert.severity), make('span', 'summary', alert.summary));
  const facts = [alert.rule, subject(alert), alert.flapping ? 'comes and goes' : '', at(alert.started_at), ''];
  const line = make('p', 'caption', facts.filter((fact, index) => fact || index === facts.length - 1).join(' · '));
  line.append(make('span', 'length', lengthOf(alert, now())));
  one.append(head, line, ...told(alert, isOpen));
  return one;
}

function told(alert, isOpen) {
  if (alert.deliveries.length === 0) {
    return [make('p', 'caption', alert.told === 'silenced' ? 'Nobody was told: it was muted, or over at once.' : 'No target is to be told.')];
  }
  const details = make('details', 'deliveries');
  details.dataset.id = alert.id;
  details.open = isOpen;
  details.append(make('summary', '', alert.deliveries.map(delivered).join('; ')), tries(alert));
  return [details];
}

function tries({ deliveries }) {
  const table = document.createElement('table');
  const head = table.createTHead().insertRow();
  for (const name of ['Target', 'Try', `At (${times.zoneName()})`, 'Answer', 'Seconds']) {
    const cell = make('th', '', name);
    cell.scope = 'col';
    head.append(cell);
  }
  const body = table.createTBody();
  for (const { target, tries: made, next_at: next } of deliveries) {
    for (const one of made) row(body, [target, one.attempt, at(one.at), answerOf(one), one.seconds.toFixed(2)]);
    if (next !== null) row(body, [target, 'next', at(next), '–', '–']);
  }
  return table;
}

function row(body, texts) {
  const added = body.insertRow();
  for (const text of texts) added.insertCell().textContent = text;
}

function at(iso) {
  return times.moment(Date.parse(iso) / 1000);
}

function shape(severity) {
  const svg = document.createElementNS(SVG, 'svg');
  for (const [name, value] of Object.entries({ viewBox: '0 0 12 12', width: '11', height: '11', 'aria-hidden': 'true' })) svg.setAttribute(name, value);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', SHAPES[severity] ?? SHAPES.info);
  svg.append(path);
  return svg;
}

function make(name, className, text = '') {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
