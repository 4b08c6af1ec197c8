// What scrolls sideways can be reached with the keyboard.
(() => {
  const boxes = ".pst-scrollable-table-container, .formula, .bd-article pre, .bd-article .math";
  const mark = () => {
    for (const box of document.querySelectorAll(boxes)) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("load", mark);
  addEventListener("resize", mark);
})();

// Opened as files, pages cannot fetch each other: the search shows titles without excerpts then.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
