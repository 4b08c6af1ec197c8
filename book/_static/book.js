// Before the page is drawn: what the last page was told.
const page = document.documentElement;
page.classList.add("js");
const kept = {
  get: (name) => { try { return localStorage.getItem(name); } catch { return null; } },
  set: (name, value) => { try { localStorage.setItem(name, value); } catch { /* told this page only */ } },
};
page.classList.toggle("show-code", kept.get("show-code") === "true");

// Opened as files, pages cannot fetch each other: the search shows titles without excerpts then.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

addEventListener("DOMContentLoaded", () => {
  codeSwitch();
  details();
  filters();
  if (matchMedia("(max-width: 600px)").matches) document.querySelectorAll("table").forEach(differenceFirst);
  document.querySelectorAll("table[data-sortable]").forEach(sortable);
});
addEventListener("load", scrolling);
addEventListener("resize", scrolling);

// One switch for all folded code of a page, kept for the next page.
function codeSwitch() {
  const button = document.querySelector(".code-switch");
  if (!button) return;
  const show = (on) => {
    page.classList.toggle("show-code", on);
    button.setAttribute("aria-pressed", on);
    for (const cell of document.querySelectorAll("details.above-input")) cell.open = on;
  };
  show(page.classList.contains("show-code"));
  button.hidden = false;
  button.addEventListener("click", () => {
    show(button.getAttribute("aria-pressed") !== "true");
    kept.set("show-code", button.getAttribute("aria-pressed"));
    scrolling();
  });
}

// Details are open where a link leads into them, and on paper; the address of a page says where.
function details() {
  const boxes = [...document.querySelectorAll("details.more")];
  const lead = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const box = target?.closest("details.more");
    if (!box || box.open) return;
    box.open = true;
    target.scrollIntoView();
  };
  lead();
  addEventListener("hashchange", lead);
  // The same link once more, after the box was closed: the address does not change.
  document.addEventListener("click", (event) => {
    if (event.target.closest?.(`a[href$="${CSS.escape(location.hash)}"]`)) lead();
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = boxes.filter((box) => !box.open);
    for (const box of closed) box.open = true;
  });
  addEventListener("afterprint", () => { for (const box of closed) box.open = false; });
  for (const box of boxes) box.addEventListener("toggle", scrolling);
}

// What scrolls sideways can be reached with the keyboard, and a table says how many columns are out of sight.
function scrolling() {
  const boxes = ".pst-scrollable-table-container, .formula, .bd-article pre, .bd-article .math";
  for (const box of document.querySelectorAll(boxes)) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    const hint = box.nextElementSibling?.querySelector(".scroll-hint");
    if (!hint) continue;
    const tell = () => {
      const edge = box.getBoundingClientRect().right + 1;
      const hidden = [...box.querySelectorAll("thead th")].filter((th) => th.getBoundingClientRect().right > edge);
      hint.hidden = box.scrollWidth <= box.clientWidth + 1;
      hint.textContent = hidden.length
        ? `${hidden.length} more column${hidden.length > 1 ? "s" : ""} to the right: scroll →`
        : "← scroll back";
    };
    tell();
    box.onscroll = tell;
  }
}

// On a phone the difference stands beside the name of the row, where nobody has to scroll for it.
function differenceFirst(table) {
  const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
  const column = heads.findIndex((th) => / − /.test(th.textContent));
  if (column < 2) return;
  for (const row of table.rows) row.insertBefore(row.cells[column], row.cells[1]);
}

// A heading cell sorts its column: by number where every cell begins with one, else by letters.
function sortable(table) {
  const body = table.tBodies[0];
  const number = (text) => {
    const found = text.replace(/−/g, "-").replace(/(\d),(?=\d{3})/g, "$1").match(/[-+]?\d*\.?\d+/);
    return found ? Number(found[0]) : NaN;
  };
  for (const th of table.querySelectorAll("thead th")) {
    if (!th.textContent.trim()) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...th.childNodes);
    th.append(button);
    button.addEventListener("click", () => {
      const up = th.getAttribute("aria-sort") !== "ascending";
      const column = th.cellIndex;
      const key = (row) => row.cells[column].textContent.trim();
      const rows = [...body.rows];
      const numeric = rows.every((row) => /^[–-]?$/.test(key(row)) || !Number.isNaN(number(key(row))));
      const worth = (row) => (Number.isNaN(number(key(row))) ? -Infinity : number(key(row)));
      rows.sort((a, b) => (numeric ? worth(a) - worth(b) : key(a).localeCompare(key(b))));
      body.append(...(up ? rows : rows.reverse()));
      table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      th.setAttribute("aria-sort", up ? "ascending" : "descending");
    });
  }
}

// Verdicts by word, group and paper.
function filters() {
  const form = document.querySelector("form.filters");
  if (!form) return;
  const cards = [...document.querySelectorAll(".cards > li")];
  const choices = [...form.querySelectorAll("select")];
  for (const choice of choices) {
    const values = new Set(cards.map((card) => card.dataset[choice.dataset.by]).filter(Boolean));
    for (const value of values) choice.add(new Option(value, value));
  }
  const apply = () => {
    for (const card of cards) {
      card.hidden = choices.some((one) => one.value && card.dataset[one.dataset.by] !== one.value);
    }
    for (const list of document.querySelectorAll(".cards")) {
      const none = [...list.children].every((card) => card.hidden);
      list.closest("section").classList.toggle("nothing-left", none && !list.closest("section").contains(form));
    }
    form.querySelector("output").value = `${cards.filter((card) => !card.hidden).length} of ${cards.length} claims`;
  };
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
}
