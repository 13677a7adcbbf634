"use strict";
// Runs before the page is drawn, so that a dark page does not flash light.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => localStorage.getItem("workshop-theme");
  const apply = () => {
    root.dataset.theme = kept() || (system.matches ? "dark" : "light");
    dispatchEvent(new Event("workshop-theme"));
  };
  root.classList.add("js");
  system.addEventListener("change", apply);
  window.toggleTheme = () => {
    localStorage.setItem("workshop-theme", root.dataset.theme === "dark" ? "light" : "dark");
    apply();
  };
  apply();
})();
