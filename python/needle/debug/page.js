// What answers to the reader: the window on the drawing, folding, the replay, selecting and printing.

const byId = id => document.getElementById(id);
const svg = byId("graph"), canvas = byId("canvas"), slider = byId("time"), details = byId("details");
let scene = null, selected = null, timer = null;

// The window on the drawing.

const MARGIN = 24;
let box = [0, 0, 1, 1], whole = box;
const setBox = values => { box = values; svg.setAttribute("viewBox", box.join(" ")); };
const scale = () => Math.min(canvas.clientWidth / box[2], canvas.clientHeight / box[3]);

function showAll() { setBox([...whole]); }

function zoom(factor, x = box[0] + box[2] / 2, y = box[1] + box[3] / 2) {
  factor = Math.min(factor, Math.max(whole[2], whole[3], 1) * 4 / Math.max(box[2], box[3]));
  if (scale() / factor > 6) return;
  setBox([x - (x - box[0]) * factor, y - (y - box[1]) * factor, box[2] * factor, box[3] * factor]);
}

function center(key, atScale = scale()) {
  const at = scene.boxes.get(key), [w, h] = [canvas.clientWidth / atScale, canvas.clientHeight / atScale];
  setBox([within(at.x - w / 2, w, whole[0], whole[2]), within(at.y - h / 2, h, whole[1], whole[3]), w, h]);
}

function within(start, length, low, extent) {
  return length >= extent ? low + (extent - length) / 2 : Math.max(low, Math.min(low + extent - length, start));
}

function follow(key) {
  const at = scene.elements.get(key).getBoundingClientRect(), frame = canvas.getBoundingClientRect();
  const inside = at.left >= frame.left && at.right <= frame.right && at.top >= frame.top && at.bottom <= frame.bottom;
  if (!inside) center(key);
}

function pointOf(event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [at.x, at.y];
}

canvas.addEventListener("wheel", event => {
  event.preventDefault();
  zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.004), ...pointOf(event));
}, { passive: false });

let held = null, dragged = false;
canvas.addEventListener("pointerdown", event => { held = pointOf(event); dragged = false; });
window.addEventListener("pointerup", () => { held = null; });
window.addEventListener("pointermove", event => {
  if (!held) return;
  const [x, y] = pointOf(event), [dx, dy] = [held[0] - x, held[1] - y];
  if (Math.hypot(dx, dy) * scale() > 3) dragged = true;
  if (dragged) setBox([box[0] + dx, box[1] + dy, box[2], box[3]]);
});

// Folding. What is clicked stays where it is on the screen.

function redraw(anchor = null) {
  const before = scene?.boxes.get(anchor);
  scene = draw(svg);
  whole = [-MARGIN, -MARGIN, scene.width + 2 * MARGIN, scene.height + 2 * MARGIN];
  const after = scene.boxes.get(anchor);
  if (before && after) {
    const [dx, dy] = [after.x - before.x, after.y - after.height / 2 - before.y + before.height / 2];
    setBox([box[0] + dx, box[1] + dy, box[2], box[3]]);
  }
  showTime(+slider.value, false);
  mark();
}

function toggle(number) {
  if (!opened.delete(number)) opened.add(number);
  redraw(`g${number}`);
}

// Open the groups around a node, so that its own box is to be seen.
function uncover(n) {
  const folded = around(nodes.get(n).group).filter(group => !opened.has(group.number));
  for (const group of folded) opened.add(group.number);
  if (folded.length) redraw();
}

function foldAll() {
  opened.clear();
  opened.add(0);
  redraw();
  showAll();
}

function unfoldMore() {
  const folded = [...scene.boxes.keys()].filter(key => key[0] === "g" && !opened.has(+key.slice(1)));
  for (const key of folded) opened.add(+key.slice(1));
  if (folded.length) redraw(folded[0]);
}

// Replaying.

function showTime(position, follows = true) {
  position = Math.max(0, Math.min(data.steps.length, position));
  slider.value = position;
  const { start, goesOn } = walkAt(position), step = data.steps[position - 1];
  const exists = n => times.get(n).appeared <= position;
  const since = moments => (moments ?? []).some(at => at >= start && at <= position);
  for (const [key, element] of scene.elements) {
    const inside = key[0] === "n" ? [nodes.get(+key.slice(1))] : groups.get(+key.slice(1)).nodes;
    const there = inside.filter(node => exists(node.number));
    const toggled = (name, on) => element.classList.toggle(name, on);
    toggled("later", !there.length);
    scene.labels.get(key)?.classList.toggle("later", !there.length);
    toggled("pending", there.some(node => times.get(node.number).computed > position));
    toggled("freed", there.length > 0 && there.every(node => times.get(node.number).freed <= position));
    if (!element.classList.contains("open")) toggled("back", there.some(node => since(times.get(node.number).arrived)));
    toggled("now", position < data.steps.length && nodes.has(step?.node) && key === shownAs(nodes.get(step.node)));
  }
  for (const { path, edges } of scene.lines) {
    const pairs = edges.flatMap(edge => edge.pairs);
    path.classList.toggle("later", !pairs.some(([, target]) => exists(target)));
    path.classList.toggle("back", goesOn && pairs.some(([source, target]) => since(handed.get(`${source} ${target}`))));
    path.classList.toggle("backward", pairs.every(([, target]) => nodes.get(target).backward));
  }
  document.body.classList.toggle("backwards", goesOn);
  describe(position, step, goesOn);
  if (selected !== null) tell();
  if (follows && nodes.has(step?.node) && position < data.steps.length) follow(shownAs(nodes.get(step.node)));
}

const UPDATES = ["replaced", "written", "stepped"];

function describe(position, step, goesOn) {
  const line = data.lines[step?.line];
  byId("step").value = `${position} of ${data.steps.length}`;
  const backward = goesOn || step?.kind.startsWith("backward");
  byId("phase").textContent = backward ? "backward" : UPDATES.includes(step?.kind) ? "update" : "forward";
  byId("event").textContent = step ? step.text : "nothing has happened yet";
  byId("where").textContent = line ? `${line.short}  ${line.text}` : "";
}

function play() {
  const stop = timer !== null;
  if (stop) { clearInterval(timer); timer = null; }
  else {
    if (+slider.value === +slider.max) showTime(0);
    timer = setInterval(() => { showTime(+slider.value + 1); if (+slider.value === +slider.max) play(); },
      Math.max(25, Math.min(500, 20000 / +slider.max)));
  }
  byId("play").textContent = stop ? "\u25B6" : "\u23F8";
  byId("play").setAttribute("aria-label", stop ? "Play" : "Pause");
}

// Selecting.

function tell() {
  const number = +selected.slice(1), position = +slider.value, top = details.scrollTop;
  details.replaceChildren(...(selected[0] === "n" ? tellNode(nodes.get(number), position)
    : tellGroup(groups.get(number), position)));
  details.scrollTop = top;
}

// Show which box is selected, and the lines from and to it.
function mark() {
  for (const [key, element] of scene.elements) {
    element.classList.toggle("selected", key === selected);
    element.tabIndex = key === selected ? 0 : -1;
  }
  for (const { path, edges } of scene.lines) {
    path.classList.toggle("near", edges.some(edge => edge.source === selected || edge.target === selected));
  }
}

function select(key) {
  selected = key;
  mark();
  tell();
  details.scrollTop = 0;
  if (scene.elements.has(key) && key[0] === "n") follow(key);
}

function clicked(target) {
  const element = target.closest("#graph .node, #graph .group");
  if (!element) return;
  if (element.classList.contains("open") && target.classList.contains("body")) return;
  if (element.classList.contains("group")) toggle(+element.id.slice(1));
  select(element.id);
}

svg.addEventListener("click", event => { if (!dragged) clicked(event.target); });
svg.addEventListener("keydown", event => {
  if (event.key !== "Enter") return;
  const element = event.target.closest(".node, .group");
  if (!element) return;
  clicked(element);
  scene.elements.get(element.id)?.focus();
});

slider.addEventListener("input", () => showTime(+slider.value));
byId("play").addEventListener("click", play);
byId("closer").addEventListener("click", () => zoom(1 / 1.3));
byId("farther").addEventListener("click", () => zoom(1.3));
byId("all").addEventListener("click", showAll);
byId("fold").addEventListener("click", foldAll);
byId("unfold").addEventListener("click", unfoldMore);
byId("table").addEventListener("click", () => {
  byId("table").setAttribute("aria-expanded", String(byId("listing").classList.toggle("open")));
});

byId("find").addEventListener("keydown", event => {
  if (event.key !== "Enter") return;
  const words = event.target.value.toLowerCase(), from = selected?.[0] === "n" ? +selected.slice(1) : 0;
  const found = order.filter(n => `#${n} ${nodes.get(n).title} ${nodes.get(n).op} ${nodes.get(n).shape}`
    .toLowerCase().includes(words));
  if (!found.length) return;
  const next = found.find(n => n > from) ?? found[0];
  uncover(next);
  select(`n${next}`);
});

// Along a line to a neighbour of what is selected; from nothing to where the graph ends or begins.
function go(neighbours, start) {
  const node = selected?.[0] === "n" ? nodes.get(+selected.slice(1)) : null;
  const next = node ? neighbours(node).find(n => nodes.has(n)) : start;
  if (next === undefined) return;
  uncover(next);
  select(`n${next}`);
}

const keys = {
  ArrowLeft: () => showTime(+slider.value - 1), ArrowRight: () => showTime(+slider.value + 1),
  Home: () => showTime(0), End: () => showTime(+slider.max), " ": play,
  ArrowUp: () => go(node => node.inputs, data.outputs[0] ?? order.at(-1)),
  ArrowDown: () => go(node => node.consumers, order[0]),
  "+": () => zoom(1 / 1.3), "-": () => zoom(1.3), 0: showAll, "[": foldAll, "]": unfoldMore,
};
document.addEventListener("keydown", event => {
  const pressed = event.key === " " && event.target.closest("button");
  const busy = pressed || event.target.closest("input:not([type=range]), #listing");
  if (busy || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

// In print the drawing is cut into sheets if it would be too small to read on one. Sizes are those of an A4 page.

const SHEET = [680, 930], SMALLEST = 0.6;

function sheets() {
  const [x, y, width, height] = whole;
  const size = Math.max(Math.min(SHEET[0] / width, SHEET[1] / height, 1), SMALLEST);
  const [w, h] = SHEET.map(length => length / size);
  const columns = Math.ceil(width / w - 0.01), rows = Math.ceil(height / h - 0.01), found = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const view = [x + column * w, y + row * h, w, h].join(" ");
      const sheet = svgElement("svg", { viewBox: view, preserveAspectRatio: "xMidYMin meet" });
      sheet.append(svgElement("use", { href: "#drawing" }));
      const place = rows * columns > 1 ? `part ${row * columns + column + 1} of ${rows * columns}` : "";
      const beside = columns > 1 ? `: row ${row + 1}, column ${column + 1}` : "";
      found.push(make("figure", [sheet, make("figcaption", place + beside)]));
    }
  }
  return found;
}

window.addEventListener("beforeprint", () => byId("sheets").replaceChildren(...sheets()));
window.addEventListener("afterprint", () => byId("sheets").replaceChildren());

// How it opens: all of it where that can be read, else the output, or of a recording the beginning; "#step=3&node=2"
// asks for a moment and a node.

function open() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  showAll();
  const first = nodes.get(data.outputs[0] ?? order.find(n => nodes.get(n).op));
  if (first && scale() < 0.4) center(shownAs(first), 0.7);
  else if (scale() > 1.3) zoom(scale() / 1.3);
  showTime(wanted.has("step") ? +wanted.get("step") : data.steps.length, wanted.has("step"));
  if (nodes.has(+wanted.get("node"))) { uncover(+wanted.get("node")); select(`n${wanted.get("node")}`); }
}
slider.value = slider.max;
redraw();
window.addEventListener("hashchange", open);
open();
