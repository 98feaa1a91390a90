// Set the chosen theme before the first paint; a module would run after it and flash. theme.js does the rest.
(() => {
  const asked = new URLSearchParams(location.search).get('theme');
  let theme = asked;
  try {
    theme ??= localStorage.getItem('theme');
  } catch {
    theme ??= null; // Storage is forbidden here: the system's theme it is.
  }
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
})();
