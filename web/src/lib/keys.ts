/** Keys pressed in a field, in a dialog or with a modifier are not the page's. */
export function typing(e: KeyboardEvent): boolean {
  const at = e.target;
  if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return true;
  return at instanceof Element && at.closest("input, select, textarea, dialog") !== null;
}
