// Two maps of the same images, linked: what is chosen in one is shown in both, with its picture and its bars.
// `root` is the element that holds the data, `data` what softlabels.chapters.atlas wrote, `el` a maker of elements.
const PATHS = [  // one mark for each class, so that none is told by its colour alone
  "M1 0A1 1 0 1 1-1 0A1 1 0 1 1 1 0Z", "M1.4 0A1.4 .6 0 1 1-1.4 0A1.4 .6 0 1 1 1.4 0Z",
  "M-.9-.9H.9V.9H-.9Z", "M0-1.2L1.1.8H-1.1Z", "M0-1.3L1 0L0 1.3L-1 0Z", "M0 1.2L1.1-.8H-1.1Z",
  "M-.4-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4Z",
  "M-1.1-.6L-.6-1.1L0-.5L.6-1.1L1.1-.6L.5 0L1.1.6L.6 1.1L0 .5L-.6 1.1L-1.1.6L-.5 0Z",
  "M-1.3-.45H1.3V.45H-1.3Z", "M-.45-1.3H.45V1.3H-.45Z",
];
const COLOURS = {
  light: ["#0072b2", "#c24e00", "#00795a", "#9e3d7a", "#806300"],
  dark: ["#56b4e9", "#ff8c42", "#2fc89b", "#e39bc6", "#f0e442"],
};
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const n = data.ids.length, k = data.classes.length, arms = data.arms.map((arm) => arm.key);
const share = {}, top = {}, place = {};
for (const arm of data.arms) {
  place[arm.key] = new Uint16Array(bytes(arm.points).buffer);
}
for (const who of data.voices) {
  share[who.key] = bytes(who.percent);
  top[who.key] = bytes(who.top);
}
const doubt = new Uint16Array(bytes(data.entropy).buffer);  // 1/1000 nats
const shapes = PATHS.map((d) => new Path2D(d));
const dark = () => document.documentElement.dataset.theme === "dark";
const byDoubt = [...Array(n).keys()].sort((a, b) => doubt[a] - doubt[b] || a - b);  // the ambiguous are drawn last
const distance = Array.from({ length: n }, (_, i) => {  // total variation of the two predictions, in percent
  let sum = 0;
  for (let c = 0; c < k; c++) sum += Math.abs(share[arms[0]][i * k + c] - share[arms[1]][i * k + c]);
  return sum / 2;
});

// What is shown, and in which order the buttons step through it.
const highest = Math.max(...doubt) / 1000;
const select = (label, options) => {
  const box = el("select");
  options.forEach(([value, text]) => box.append(el("option", { value, textContent: text })));
  return [el("label", { textContent: label }, box), box];
};
const range = (label, value) => {
  const shown = el("output");
  const box = el("input", { type: "range", min: 0, max: Math.ceil(highest * 20) / 20, step: 0.05, value });
  const name = el("span", {}, `${label} `, shown);
  return [el("label", {}, name, box), box, shown];
};
const [classLabel, ofClass] = select("People mostly say", [["", "any class"], ...data.classes.map((c, i) => [i, c])]);
const [answersLabel, answers] = select("Networks", [
  ["", "all"], ["differ", "answer differently"], ["first", `only ${arms[0]} agrees with people`],
  ["second", `only ${arms[1]} agrees with people`], ["neither", "neither agrees with people"],
]);
const [lowLabel, low, lowShown] = range("Entropy from", 0);
const [highLabel, high, highShown] = range("to", Math.ceil(highest * 20) / 20);
const [orderLabel, order] = select("Step through by", [
  ["distance", "distance of the networks"], ["doubt", "entropy of the people"], ["id", "number"],
]);
const before = el("button", { type: "button", textContent: "◀ Previous" });
const after = el("button", { type: "button", textContent: "Next ▶" });
const reset = el("button", { type: "button", textContent: "Show all" });
const count = el("output", { className: "sl-count" });

let visible = [], rank = [], chosen = -1, sheet = null;
const passes = (i) => {
  const people = top.people[i], [one, two] = arms.map((arm) => top[arm][i]);
  if (ofClass.value !== "" && people !== Number(ofClass.value)) return false;
  if (doubt[i] / 1000 < low.value - 1e-9 || doubt[i] / 1000 > Number(high.value) + 1e-9) return false;
  if (answers.value === "differ") return one !== two;
  if (answers.value === "first") return one === people && two !== people;
  if (answers.value === "second") return two === people && one !== people;
  return answers.value !== "neither" || (one !== people && two !== people);
};
const KEYS = { distance: (i) => -distance[i], doubt: (i) => -doubt[i], id: (i) => data.ids[i] };

// Pictures of the maps: a canvas for all points, and one above it for the chosen one.
const maps = data.arms.map((arm) => {
  const plot = el("div", { tabIndex: 0, className: "sl-plot" });
  plot.setAttribute("role", "application");
  plot.setAttribute("aria-roledescription", "map of images");
  plot.setAttribute("aria-label", `${arm.title}: map of the images. Arrow keys go from image to image.`);
  plot.setAttribute("aria-describedby", `${root.id}-keys`);
  const layers = [el("canvas"), el("canvas")];
  layers.forEach((layer) => { layer.setAttribute("aria-hidden", "true"); plot.append(layer); });
  const box = el("div", { className: "sl-map" }, el("p", { className: "sl-name", textContent: arm.title }), plot);
  return { key: arm.key, plot, layers, box, at: (i) => [0, 0] };
});
const fit = (map) => {
  const { width, height } = map.plot.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  const side = Math.min(width, height) - 16, p = place[map.key];
  map.layers.forEach((layer) => {
    layer.width = Math.round(width * ratio);
    layer.height = Math.round(height * ratio);
  });
  map.ratio = ratio;
  map.size = Math.max(1.8, Math.min(3.2, side / 150));
  map.at = (i) => [(width - side) / 2 + (side * p[2 * i]) / 65535, (height + side) / 2 - (side * p[2 * i + 1]) / 65535];
};
const drawMap = (map) => {
  const pen = map.layers[0].getContext("2d"), colours = COLOURS[dark() ? "dark" : "light"];
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, map.layers[0].width, map.layers[0].height);
  const shown = new Set(visible), put = (i, size) => {
    const [x, y] = map.at(i), s = map.ratio * size;
    pen.setTransform(s, 0, 0, s, x * map.ratio, y * map.ratio);
  };
  pen.fillStyle = dark() ? "#3a424d" : "#dfe3e8";
  for (let i = 0; i < n; i++) {
    if (!shown.has(i)) { put(i, map.size * 0.6); pen.fill(shapes[0]); }
  }
  for (const i of visible) {
    const [colour, shape] = data.marks[top.people[i]];
    put(i, map.size);
    pen.fillStyle = colours[colour];
    pen.fill(shapes[shape]);
  }
};
const drawChosen = (map) => {
  const pen = map.layers[1].getContext("2d");
  pen.setTransform(map.ratio, 0, 0, map.ratio, 0, 0);
  pen.clearRect(0, 0, 1e4, 1e4);
  if (chosen < 0) return;
  const [x, y] = map.at(chosen);
  for (const [width, colour] of [[5, dark() ? "#14181e" : "#ffffff"], [2.5, dark() ? "#ffffff" : "#000000"]]) {
    pen.lineWidth = width;
    pen.strokeStyle = colour;
    pen.beginPath();
    pen.arc(x, y, 8, 0, 7);
    pen.stroke();
  }
};

// The chosen image in words, bars and a picture.
const picture = el("canvas", { className: "sl-picture", width: 128, height: 128 });
picture.setAttribute("role", "img");
const caption = el("caption");
const body = el("tbody");
const status = el("p", { className: "sl-heard" });
status.setAttribute("role", "status");
const heads = data.voices.map((who) => el("th", { scope: "col", textContent: who.title.replace(" network", "") }));
const table = el("table", {}, caption, el("thead", {}, el("tr", {}, el("th", { scope: "col", textContent: "Class" }), ...heads)), body);
const cell = (who, i, c) => {
  const percent = share[who.key][i * k + c];
  const fill = el("span");
  fill.style.width = `${percent}%`;
  const number = el("span", { className: "sl-number", textContent: `${percent} %` });
  return el("td", { className: `sl-${who.key}` },
    el("span", { className: "sl-cell" }, number, el("span", { className: "sl-bar" }, fill)));
};
const words = (i) => data.voices.map((who) => {
  const best = [...Array(k).keys()].map((c) => [share[who.key][i * k + c], c]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  const said = best.slice(0, 3).filter(([p]) => p >= 1).map(([p, c]) => `${data.classes[c]} ${p} %`);
  return `${who.title}: ${said.join(", ")}`;
}).join(". ") + ".";
let speaking = 0;
const detail = () => {
  const i = chosen;
  if (i < 0) {
    caption.textContent = "No image is left: widen the filters.";
    body.replaceChildren();
    picture.getContext("2d").clearRect(0, 0, 128, 128);
    picture.setAttribute("aria-label", "no image");
    status.textContent = caption.textContent;
    return;
  }
  const same = top[arms[0]][i] === top[arms[1]][i] ? "the networks answer alike" : "the networks answer differently";
  caption.textContent = `Image ${data.ids[i]} · entropy ${(doubt[i] / 1000).toFixed(2)} nats · ${same}`;
  body.replaceChildren(...data.classes.map((name, c) => {
    const values = data.voices.map((who) => share[who.key][i * k + c]);
    const row = el("tr", {}, el("th", { scope: "row", textContent: name }), ...data.voices.map((who) => cell(who, i, c)));
    row.className = Math.max(...values) < 5 ? "sl-small" : "";
    return row;
  }));
  picture.setAttribute("aria-label", `Image ${data.ids[i]}`);
  const pen = picture.getContext("2d");
  pen.clearRect(0, 0, 128, 128);
  if (sheet) {
    const { tile, columns } = data.sheet;
    pen.drawImage(sheet, (i % columns) * tile, Math.floor(i / columns) * tile, tile, tile, 0, 0, 128, 128);
  }
  clearTimeout(speaking);  // a screen reader hears where one stops, not everything on the way
  speaking = setTimeout(() => { status.textContent = `Image ${data.ids[i]}. ${words(i)}`; }, 250);
};
const choose = (i) => {
  chosen = i;
  root.dataset.chosen = i < 0 ? "" : data.ids[i];
  maps.forEach(drawChosen);
  detail();
};
const filter = () => {
  lowShown.textContent = Number(low.value).toFixed(2);
  highShown.textContent = `${Number(high.value).toFixed(2)} nats`;
  visible = byDoubt.filter(passes);
  const key = KEYS[order.value];
  rank = [...visible].sort((a, b) => key(a) - key(b) || a - b);
  count.textContent = `${visible.length.toLocaleString("en")} of ${n.toLocaleString("en")} images`;
  maps.forEach(drawMap);
  choose(visible.includes(chosen) ? chosen : rank.length ? rank[0] : -1);
};

// Mouse, touch and keyboard.
const nearest = (map, event) => {
  const box = map.plot.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  let best = -1, least = 40 * 40;
  for (const i of visible) {
    const [px, py] = map.at(i), d = (px - x) ** 2 + (py - y) ** 2;
    if (d < least) [best, least] = [i, d];
  }
  if (best >= 0 && best !== chosen) choose(best);
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const towards = (map, [dx, dy]) => {
  const [x, y] = map.at(chosen);
  let best = -1, least = Infinity;
  for (const i of visible) {
    const [px, py] = map.at(i), along = (px - x) * dx + (py - y) * dy, aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    if (i === chosen || along <= 0 || aside > along) continue;  // within 45 degrees of the arrow
    const d = along + 2 * aside;
    if (d < least) [best, least] = [i, d];
  }
  return best;
};
const step = (by) => {
  if (rank.length) choose(rank[(rank.indexOf(chosen) + by + rank.length) % rank.length]);
};
const press = (map, event) => {
  const moves = { Home: () => choose(rank[0]), End: () => choose(rank[rank.length - 1]), PageDown: () => step(1), PageUp: () => step(-1) };
  if (!rank.length || event.ctrlKey || event.altKey || event.metaKey) return;
  if (ARROWS[event.key]) {
    const found = towards(map, ARROWS[event.key]);
    if (found >= 0) choose(found);
  } else if (moves[event.key]) {
    moves[event.key]();
  } else return;
  event.preventDefault();
  event.stopPropagation();  // the theme turns the page with the arrow keys
};
maps.forEach((map) => {
  map.plot.addEventListener("pointermove", (event) => nearest(map, event));
  map.plot.addEventListener("pointerdown", (event) => nearest(map, event));
  map.plot.addEventListener("keydown", (event) => press(map, event));
});
[ofClass, answers, order].forEach((box) => box.addEventListener("change", filter));
low.addEventListener("input", () => { if (Number(low.value) > Number(high.value)) high.value = low.value; filter(); });
high.addEventListener("input", () => { if (Number(high.value) < Number(low.value)) low.value = high.value; filter(); });
before.addEventListener("click", () => step(-1));
after.addEventListener("click", () => step(1));
reset.addEventListener("click", () => {
  ofClass.value = answers.value = "";
  [low.value, high.value] = [low.min, high.max];
  filter();
});

const mark = ([colour, shape]) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS(svg.namespaceURI, "path");
  svg.setAttribute("viewBox", "-1.5 -1.5 3 3");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[shape]);
  svg.append(path);
  return { svg, paint: () => path.setAttribute("fill", COLOURS[dark() ? "dark" : "light"][colour]) };
};
const legend = data.marks.map(mark);
const keys = el("p", { className: "sl-quiet", id: `${root.id}-keys` },
  "Point at a mark, or move to a map with ", el("kbd", { textContent: "Tab" }), ": arrow keys go to the next image in that direction, ",
  el("kbd", { textContent: "Page Up" }), " and ", el("kbd", { textContent: "Page Down" }), " step through the order chosen above, ",
  el("kbd", { textContent: "Home" }), " and ", el("kbd", { textContent: "End" }), " go to its ends.");
root.append(
  el("p", { className: "sl-title", textContent: data.title }),
  el("div", { className: "sl-controls" }, classLabel, answersLabel, lowLabel, highLabel, orderLabel),
  el("div", { className: "sl-controls" }, before, after, reset, count),
  el("div", { className: "sl-views" }, maps[0].box, el("section", { className: "sl-detail" }, picture, el("div", {}, table)), maps[1].box),
  el("ul", { className: "sl-legend" }, ...data.classes.map((name, c) => el("li", {}, legend[c].svg, name))),
  keys, status, el("p", { className: "sl-quiet", textContent: data.source }),
);
const redraw = () => {
  maps.forEach((map) => { fit(map); drawMap(map); drawChosen(map); });
  legend.forEach((one) => one.paint());
};
const size = () => {
  const { width, height } = maps[0].plot.getBoundingClientRect();
  return `${width} ${height} ${window.devicePixelRatio}`;
};
maps.forEach(fit);
legend.forEach((one) => one.paint());
filter();
let drawnAt = size();
const resized = () => {  // an observer also reports at the start, when everything has just been drawn
  if (size() !== drawnAt) redraw();
  drawnAt = size();
};
new ResizeObserver(resized).observe(root);
new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
if (data.sheet) {
  const image = new Image();
  image.onload = () => { sheet = image; detail(); };
  image.src = data.sheet.url;
}
