// Dark or light: as the system has it, until somebody chooses.
window.agosTheme = (flip) => {
  const key = "agos-theme";
  if (flip) {
    localStorage.setItem(key, document.body.classList.contains("body--dark") ? "light" : "dark");
  }
  const chosen = localStorage.getItem(key);
  if (chosen && window.Quasar) Quasar.Dark.set(chosen === "dark");
};
// The framework names no language.
document.documentElement.lang = "en";
window.addEventListener("load", () => setTimeout(() => window.agosTheme(false), 0));
