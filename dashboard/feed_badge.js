// The feed's state in the corner: a shape, a colour, a word and an age.

import { SHAPES } from './feed_state.js';
import { lasting } from './times.js';

const SENTENCES = {
  unknown: 'Nothing has been heard of the feed lately. What is shown may not move.',
  live: 'The feed is connected to the exchange and hears from it.',
  stale: 'The feed is connected, but the exchange has been silent for longer than it should be.',
  connecting: 'There is no connection right now; it is being made.',
  down: 'The feed says that it does not run. What is shown does not move.',
};

const byId = (id) => document.getElementById(id);

/** Show `{state, age}`. */
export function showFeed({ state, age }, detail) {
  const badge = byId('feed');
  if (badge.dataset.state !== state) {
    badge.dataset.state = state;
    byId('feed-shape').setAttribute('d', SHAPES[state]);
    byId('feed-state').textContent = state;
  }
  byId('feed-age').textContent = age === null ? '' : lasting(age);
  badge.title = detail ? `${SENTENCES[state]} ${detail}` : SENTENCES[state];
}
