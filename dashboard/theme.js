// Dark, light, or as the visitor's system has it. early_theme.js sets the kept choice before the first paint.

const CHOICES = ['system', 'dark', 'light'];

/** Which of them it is now. */
export function theme() {
  return document.documentElement.dataset.theme ?? 'system';
}

/** Take the next choice and keep it. */
export function nextTheme() {
  const chosen = CHOICES[(CHOICES.indexOf(theme()) + 1) % CHOICES.length];
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  keep(chosen);
  return chosen;
}

/** Call `paint` whenever the colours change, by choice or by the system. */
export function onThemeChange(paint) {
  new MutationObserver(paint).observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
}

function keep(chosen) {
  try {
    if (chosen === 'system') localStorage.removeItem('theme');
    else localStorage.setItem('theme', chosen);
  } catch (error) {
    console.info('the theme is not kept:', error.message); // Storage may be forbidden; the choice holds for this page.
  }
}
