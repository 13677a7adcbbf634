"use strict";
// plotly.js is large: it is loaded when the first chart comes near, and each chart is drawn when it does.
(() => {
  const script = document.currentScript;
  const colours = JSON.parse(script.dataset.colours);
  const drawn = new Set();
  let library = null;

  function plotly() {
    library ??= new Promise((done, failed) => {
      const tag = document.createElement("script");
      tag.src = new URL("plotly.min.js", script.src).href;
      tag.onload = () => done(window.Plotly);
      tag.onerror = failed;
      document.head.append(tag);
    });
    return library;
  }

  function figure(chart) {
    const text = chart.querySelector("script").textContent;
    const mine = colours[document.documentElement.dataset.theme];
    return JSON.parse(text, (_, value) => (typeof value === "string" && mine[value]) || value);
  }

  async function draw(chart) {
    const { data, layout, config } = figure(chart);
    const library = await plotly();
    await library.react(chart.querySelector(".drawn"), data, layout, { ...config, responsive: true });
    chart.classList.add("live");
    drawn.add(chart);
  }

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      near.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "600px" });
  document.querySelectorAll("figure.chart").forEach((chart) => near.observe(chart));
  addEventListener("workshop-theme", () => drawn.forEach(draw));
})();
