// One slider: a curve for each arm, the values at the chosen step, and a sentence that says what they mean.
// Only what was measured can be chosen; nothing is interpolated between two steps of a grid.
const NS = "http://www.w3.org/2000/svg", DASHES = ["7 4", "", "2 4", "11 3 2 3", "5 2"];
const COLOURS = ["var(--sl-hard)", "var(--sl-soft)", "var(--sl-people)"];
const W = 460, H = 250, LEFT = 54, RIGHT = 14, TOP = 12, BOTTOM = 44;
const drawn = (name, attributes, text = "") => {
  const one = document.createElementNS(NS, name);
  Object.entries(attributes).forEach(([key, value]) => one.setAttribute(key, value));
  one.textContent = text;
  return one;
};
const look = (series, i) => {
  const at = series.key === "soft" ? 1 : series.key === "hard" ? 0 : i + 2;
  return { stroke: COLOURS[Math.min(at, 2)], dash: DASHES[at % DASHES.length] };
};
const select = el("select");
data.views.forEach((view, i) => select.append(el("option", { value: i, textContent: view.name })));
const slider = el("input", { type: "range", min: 0, step: 1, id: `${root.id}-range` });
const chosen = el("span");
const says = el("output", { className: "sl-says", htmlFor: slider.id });
const body = el("tbody"), caption = el("caption");
const chart = drawn("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" });
const marker = drawn("line", { class: "sl-marker", y1: TOP, y2: H - BOTTOM });
const view = () => data.views[Number(select.value)];
const x = (i) => LEFT + ((W - LEFT - RIGHT) * i) / Math.max(1, view().steps.length - 1);
const ends = () => {
  const all = view().series.flatMap((s) => [...s.low, ...s.high]).filter((v) => v !== null);
  return [Math.min(...all), Math.max(...all)];
};
const scale = () => {
  const [low, high] = ends(), room = 0.05 * (high - low) || 0.05;
  return (v) => H - BOTTOM - ((H - BOTTOM - TOP) * (v - low + room)) / (high - low + 2 * room);
};
const text = (value) => (value === null ? "–" : value.toFixed(3).replace("-", "−"));
const known = (series) => series.mean.map((_, i) => i).filter((i) => series.mean[i] !== null);
const draw = () => {
  const { steps, series } = view(), y = scale(), every = Math.ceil(steps.length / 7);
  chart.replaceChildren(marker);
  const [low, high] = ends();
  [0, 1 / 3, 2 / 3, 1].map((t) => low + t * (high - low)).forEach((v) => {
    chart.append(drawn("line", { class: "sl-grid", x1: LEFT, x2: W - RIGHT, y1: y(v), y2: y(v) }));
    chart.append(drawn("text", { class: "sl-axis", x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" }, text(v)));
  });
  steps.forEach((step, i) => {
    const short = `${step}`.split(" (")[0];  // what stands in brackets has no room there
    if (i % every === 0) chart.append(drawn("text", { class: "sl-axis", x: x(i), y: H - BOTTOM + 18, "text-anchor": "middle" }, short));
  });
  chart.append(drawn("text", { class: "sl-axis", x: (LEFT + W - RIGHT) / 2, y: H - 6, "text-anchor": "middle" }, data.axis));
  series.forEach((s, j) => {
    const { stroke, dash } = look(s, j), at = known(s);
    const edge = [...at.map((i) => `${x(i)},${y(s.low[i])}`), ...at.reverse().map((i) => `${x(i)},${y(s.high[i])}`)];
    chart.append(drawn("polygon", { class: "sl-band", points: edge.join(" "), style: `fill:${stroke}` }));
    const line = at.reverse().map((i) => `${x(i)},${y(s.mean[i])}`).join(" ");
    chart.append(drawn("polyline", { class: "sl-curve", points: line, style: `stroke:${stroke}`, "stroke-dasharray": dash }));
  });
};
const key = (s, j) => {
  const svg = drawn("svg", { class: "sl-key", viewBox: "0 0 40 10", "aria-hidden": "true" }), { stroke, dash } = look(s, j);
  svg.append(drawn("line", { x1: 0, x2: 40, y1: 5, y2: 5, style: `stroke:${stroke};stroke-width:4`, "stroke-dasharray": dash }));
  return svg;
};
const show = () => {
  const i = Number(slider.value), { steps, series } = view();
  chosen.textContent = `${data.label}: ${steps[i]}`;
  slider.setAttribute("aria-valuetext", `${steps[i]}`);
  says.textContent = view().says[i];
  marker.setAttribute("x1", x(i));
  marker.setAttribute("x2", x(i));
  caption.textContent = `${view().measure} at ${steps[i]}`;
  body.replaceChildren(...series.map((s, j) => el("tr", {},
    el("th", { scope: "row" }, key(s, j), s.name),
    el("td", { textContent: text(s.mean[i]) }),
    el("td", { textContent: s.mean[i] === null ? "–" : `${text(s.low[i])} – ${text(s.high[i])}` }),
  )));
};
const turn = () => {
  slider.max = view().steps.length - 1;
  slider.value = view().start;
  draw();
  show();
};
slider.addEventListener("input", show);
slider.addEventListener("keydown", (event) => event.stopPropagation());  // the theme turns the page with arrow keys
select.addEventListener("change", turn);
const head = ["Labels", "Mean", "Span of the runs"].map((name) => el("th", { scope: "col", textContent: name }));
root.append(
  el("p", { className: "sl-title", textContent: data.title }),
  ...(data.views.length > 1 ? [el("div", { className: "sl-controls" }, el("label", { textContent: data.choice }, select))] : []),
  el("label", { className: "sl-ruler" }, chosen, slider),
  says,
  el("div", { className: "sl-what-if" }, chart, el("div", {}, el("table", {}, caption, el("thead", {}, el("tr", {}, ...head)), body))),
  el("p", { className: "sl-quiet", textContent: data.source }),
);
turn();
