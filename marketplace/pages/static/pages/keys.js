/**
 * Shortcuts. A key is written as it is pressed: "a", "?", "Enter", "ArrowLeft", "mod+z" (Ctrl, on a Mac ⌘),
 * "shift+Tab", "alt+1". They keep out of the way of whoever types into a field, unless they hold mod, or are Escape.
 */
const TYPING = 'input:not([type="checkbox"], [type="radio"], [type="range"], [type="button"]), textarea, select, [contenteditable=""], [contenteditable="true"]';
const ACTIVATES = new Set(["Enter", " "]);
const onMac = /Mac|iPhone|iPad/.test(navigator.platform);

/** How the key of an event is written. */
function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const mod = onMac ? event.metaKey : event.ctrlKey;
  // Shift is part of a printed character already, as in "?".
  const shift = event.shiftKey && (event.key.length > 1 || mod || /^[a-z]$/i.test(event.key));
  return `${mod ? "mod+" : ""}${event.altKey ? "alt+" : ""}${shift ? "shift+" : ""}${key}`;
}

/**
 * Listen for shortcuts on a target (document for the whole page).
 * @param {EventTarget} target
 * @param {Object<string, function(KeyboardEvent): (boolean|void)>} actions by key; one that returns false lets the key pass
 * @returns {function(): void} ends it
 */
export function hotkeys(target, actions) {
  const listen = (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const name = nameOf(event);
    const act = actions[name];
    if (!act || busy(event, name)) return;
    if (act(event) !== false) event.preventDefault();
  };
  target.addEventListener("keydown", listen);
  return () => target.removeEventListener("keydown", listen);
}

/** The key as a person reads it, for a `<kbd>`. */
export function shown(name) {
  const words = {mod: onMac ? "⌘" : "Ctrl", shift: "⇧", alt: onMac ? "⌥" : "Alt", Enter: "↵", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", " ": "Space", Delete: "Del", Backspace: "⌫"};
  return name.split(/\+(?!$)/).map((part) => words[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ");
}

function busy(event, name) {
  const at = event.target;
  if (!(at instanceof Element)) return false;
  if (at.closest(TYPING)) return !(name.startsWith("mod+") && name !== "mod+z" && name !== "mod+shift+z") && name !== "Escape";
  // What has the focus is activated by these keys itself; boxes to tick by the space bar alone.
  const activated = `button, a[href], summary, [role=button]${event.key === " " ? ", input" : ""}`;
  return ACTIVATES.has(event.key) && !name.includes("mod+") && at.closest(activated) !== null;
}
