"use strict";
(() => {
  const words = JSON.parse(document.body.dataset.words);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const TALL = 460; // pixels: an output that is higher is folded

  function button(text, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", () => act(made));
    return made;
  }

  // --- light and dark, the contents on a phone
  const theme = document.querySelector("button.theme");
  theme.hidden = false;
  theme.addEventListener("click", window.toggleTheme);

  const menu = document.querySelector("button.menu");
  const side = document.querySelector("nav.side");
  const open = (wanted) => {
    menu.setAttribute("aria-expanded", wanted);
    document.documentElement.classList.toggle("open", wanted);
  };
  menu.hidden = false;
  menu.addEventListener("click", () => open(menu.getAttribute("aria-expanded") !== "true"));
  side.addEventListener("click", (event) => event.target.closest("a") && open(false));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.getAttribute("aria-expanded") === "true") {
      open(false);
      menu.focus();
    }
  });

  // --- copy: a cell with its magic, as it would be typed
  const source = (block) => {
    const head = block.querySelector(".head");
    const body = block.querySelector("pre");
    return [head, body].filter(Boolean).map((part) => part.textContent.replace(/\n$/, "")).join("\n");
  };
  async function put(text) {
    try {
      await navigator.clipboard.writeText(text);
      return;
    } catch { /* a browser may keep its clipboard from file://, or from a page that has not the focus */ }
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  for (const block of all(".listing, .prose .highlight")) {
    const made = button(words.copy, async () => {
      await put(source(block));
      made.textContent = words.copied;
      setTimeout(() => { made.textContent = words.copy; }, 1500);
    });
    made.className = "copy";
    block.append(made);
  }

  // --- a high output is folded, unless it is a chart
  for (const outputs of all(".outputs")) {
    if (outputs.scrollHeight <= TALL * 1.3 || outputs.querySelector(".chart")) {
      continue;
    }
    outputs.classList.add("tall");
    const more = button(words.all, () => {
      const folded = outputs.classList.toggle("tall");
      more.textContent = folded ? words.all : words.less;
      more.setAttribute("aria-expanded", !folded);
    });
    more.className = "more";
    more.setAttribute("aria-expanded", false);
    outputs.after(more);
  }

  // --- where the reader is: marked in the contents, and kept by the link to the other language
  const places = all("main section.cell[id]");
  const tongue = document.querySelector("a.tongue");
  const elsewhere = tongue.getAttribute("href");
  const marked = new Map(all(".sections a").map((link) => [link.hash.slice(1), link]));
  function mark() {
    const here = places.filter((place) => place.getBoundingClientRect().top < 140).pop();
    const prose = places.filter((place) => place.getBoundingClientRect().top < 140 && marked.has(place.id)).pop();
    tongue.href = here && scrollY > 100 ? `${elsewhere}#${here.id}` : elsewhere;
    for (const [anchor, link] of marked) {
      link.toggleAttribute("data-here", Boolean(prose) && anchor === prose.id);
    }
  }
  let asked = 0;
  addEventListener("scroll", () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(mark);
  }, { passive: true });
  mark();
  side.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
})();
