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
