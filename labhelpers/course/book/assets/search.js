"use strict";
// Words in any order, the beginnings of words, with or without accents; a heading counts more than a text.
(() => {
  const words = JSON.parse(document.body.dataset.words);
  const box = document.querySelector("search");
  const field = box.querySelector("input");
  const count = box.querySelector(".count");
  const results = box.querySelector(".results");
  const contents = document.querySelector(".contents");
  const MOST = 30;
  const AROUND = 70; // characters shown on each side of what was found
  let index = null;

  // One character stays one character, so that a place in the folded text is the same place in the text.
  const plain = (text) => [...text].map((c) => (c.length === 1 ? c : "□")).join("");
  const fold = (text) => [...plain(text)].map((c) => c.normalize("NFD")[0].toLowerCase()[0]).join("");

  function load() {
    index ??= new Promise((done, failed) => {
      const tag = document.createElement("script");
      tag.src = document.body.dataset.index;
      tag.onload = () => done(window.bookIndex.map((entry) => ({
        ...entry,
        text: plain(entry.text),
        title: plain(entry.title),
        foldedTitle: fold(entry.title),
        foldedText: fold(entry.text),
      })));
      tag.onerror = failed;
      document.head.append(tag);
    });
    return index;
  }

  const escaped = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const beginning = (word) => new RegExp(`(?<![\\p{L}\\p{N}])${escaped(word)}`, "gu");

  function score(entry, asked) {
    let sum = 0;
    for (const word of asked) {
      const inTitle = (entry.foldedTitle.match(beginning(word)) || []).length;
      const inText = (entry.foldedText.match(beginning(word)) || []).length;
      if (!inTitle && !inText) {
        return 0;
      }
      sum += 20 * inTitle + Math.min(inText, 8);
    }
    return sum;
  }

  // The text from one place to another, with what was asked for marked.
  function marked(text, folded, asked, from = 0, to = text.length) {
    const line = document.createElement("span");
    const any = new RegExp(asked.map((word) => beginning(word).source).join("|"), "gu");
    let done = from;
    line.append(from ? "… " : "");
    for (const hit of folded.slice(from, to).matchAll(any)) {
      const mark = document.createElement("mark");
      const at = from + hit.index;
      mark.textContent = text.slice(at, at + hit[0].length);
      line.append(text.slice(done, at), mark);
      done = at + hit[0].length;
    }
    line.append(text.slice(done, to), to < text.length ? " …" : "");
    return line;
  }

  function snippet(entry, asked) {
    const found = asked.map((word) => entry.foldedText.search(beginning(word))).filter((at) => at >= 0);
    const middle = found.length ? Math.min(...found) : 0;
    const from = Math.max(0, middle - AROUND);
    return marked(entry.text, entry.foldedText, asked, from, Math.min(entry.text.length, middle + 2 * AROUND));
  }

  function result(entry, asked) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    const title = document.createElement("strong");
    const chapter = document.createElement("small");
    link.href = `${entry.page}#${entry.anchor}`;
    title.append(marked(entry.title, entry.foldedTitle, asked));
    chapter.textContent = entry.chapter;
    link.append(chapter, title, snippet(entry, asked));
    item.append(link);
    return item;
  }

  async function search() {
    const typed = field.value;
    const asked = fold(typed).split(/[^\p{L}\p{N}_.%-]+/u).filter(Boolean);
    const entries = asked.length ? await load() : [];
    if (typed !== field.value) {
      return; // more was typed meanwhile
    }
    const found = entries.map((entry) => [score(entry, asked), entry]).filter(([points]) => points);
    found.sort((one, other) => other[0] - one[0]);
    results.replaceChildren(...found.slice(0, MOST).map(([, entry]) => result(entry, asked)));
    count.textContent = !asked.length ? "" : found.length ? `${found.length} ${words.found}` : words.none;
    contents.hidden = asked.length > 0;
  }

  box.hidden = false;
  field.addEventListener("focus", load, { once: true });
  field.addEventListener("input", search);
  addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "Escape" && event.target === field) {
      field.value = "";
      search();
    }
  });
})();
