// Runs before the first paint, so that a chosen theme does not flash. Not a module: those run later.
try {
  const chosen = localStorage.getItem("l0-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is refused: the system's theme is used.
}
