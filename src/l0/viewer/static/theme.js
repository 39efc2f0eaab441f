/** The switch between the system's theme, light and dark. */

const KEY = "l0-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };

/** Make `button` switch the theme; `changed` runs after the colours have changed, also by the system. */
export function themeSwitch(button, changed) {
  show(button);
  button.addEventListener("click", () => {
    choose(NEXT[chosen()]);
    show(button);
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

function chosen() {
  return document.documentElement.dataset.theme ?? "system";
}

function choose(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage is refused: the choice lasts until the page is left.
  }
}

function show(button) {
  button.textContent = `Theme: ${chosen()}`;
}
