// One key, one action. Keys that are typed into a field or held with a modifier are left alone.

/** Call `actions[key]`, and `onDigit(index)` for 1 to 9. */
export function listen(actions, onDigit) {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (event.target.matches('select, input, textarea')) return;
    const action = /^[1-9]$/.test(event.key) ? () => onDigit(Number(event.key) - 1) : actions[event.key];
    if (action === undefined || action(event) === false) return;
    event.preventDefault();
  });
}
