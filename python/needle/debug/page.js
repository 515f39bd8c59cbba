"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const nodes = new Map(data.nodes.map(node => [node.number, { ...node, consumers: [] }]));
const order = [...nodes.keys()];
for (const node of nodes.values()) for (const x of new Set(node.inputs)) nodes.get(x).consumers.push(node.number);

const byId = id => document.getElementById(id);
const svg = byId("graph"), canvas = byId("canvas"), slider = byId("time"), details = byId("details");
const boxes = new Map(order.map(n => [n, byId("n" + n)]));
const lines = [...document.querySelectorAll(".line")].map(path =>
  ({ path, source: +path.dataset.source, target: +path.dataset.target }));
let selected = null, timer = null;

// Making elements: texts go in as texts, so nothing in a name is read as markup.

function make(tag, content = [], attributes = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...[content].flat());
  return element;
}

function list(pairs) {
  return make("dl", pairs.flatMap(([term, text, warn]) =>
    [make("dt", term), make("dd", String(text), warn ? { class: "warn" } : {})]));
}

// The window on the graph.

const whole = svg.getAttribute("viewBox").split(" ").map(Number);
let box = [...whole];
const setBox = values => { box = values; svg.setAttribute("viewBox", box.join(" ")); };
const scale = () => Math.min(canvas.clientWidth / box[2], canvas.clientHeight / box[3]);

function showAll() { setBox([...whole]); }

function zoom(factor, x = box[0] + box[2] / 2, y = box[1] + box[3] / 2) {
  factor = Math.min(factor, Math.max(whole[2], whole[3], 1) * 4 / Math.max(box[2], box[3]));
  if (scale() / factor > 6) return;
  setBox([x - (x - box[0]) * factor, y - (y - box[1]) * factor, box[2] * factor, box[3] * factor]);
}

function center(n, atScale = scale()) {
  const at = boxes.get(n).transform.baseVal.getItem(0).matrix;
  const [w, h] = [canvas.clientWidth / atScale, canvas.clientHeight / atScale];
  setBox([within(at.e - w / 2, w, whole[0], whole[2]), within(at.f - h / 2, h, whole[1], whole[3]), w, h]);
}

function within(start, length, low, extent) {
  return length >= extent ? low + (extent - length) / 2 : Math.max(low, Math.min(low + extent - length, start));
}

function follow(n) {
  const at = boxes.get(n).getBoundingClientRect(), frame = canvas.getBoundingClientRect();
  const inside = at.left >= frame.left && at.right <= frame.right && at.top >= frame.top && at.bottom <= frame.bottom;
  if (!inside) center(n);
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

// What is known of a node.

function histogram(h) {
  const most = Math.max(...h.counts), step = 100 / h.counts.length;
  const bars = h.counts.map((count, i) => {
    const height = count ? Math.max(1.5, 100 * count / most) : 0;
    return `<rect x="${i * step}" y="${100 - height}" width="${step * 0.92}" height="${height}"/>`;
  });
  const figure = make("div");
  figure.innerHTML = `<svg class="histogram" viewBox="0 0 100 100" preserveAspectRatio="none" role="img"
    aria-label="Histogram">${bars.join("")}</svg>`;
  figure.append(make("div", [make("span", h.low), make("span", h.high)], { class: "ends" }));
  return figure;
}

function values(title, arrays, missing, kind) {
  const section = make("section", make("h3", title), { class: kind });
  if (!arrays.length) section.append(make("p", missing, { class: "kind" }));
  arrays.forEach((s, i) => {
    if (arrays.length > 1) section.append(make("h3", `element ${i}`));
    if (s.note) { section.append(make("p", s.note)); return; }
    const rows = "min" in s ? [["min", s.min], ["max", s.max], ["mean", s.mean], ["std", s.std]] : [];
    rows.push(["elements", `${s.size.toLocaleString("en")} (${s.bytes.toLocaleString("en")} bytes)`], ["zeros", s.zero]);
    if (s.nan) rows.push(["NaN", s.nan, true]);
    if (s.inf) rows.push(["infinite", s.inf, true]);
    section.append(list(rows));
    if (s.histogram && s.histogram.counts.length > 1) section.append(histogram(s.histogram));
    section.append(make("p", s.first.join(", ") + (s.size > s.first.length ? ", ..." : ""), { class: "first" }));
  });
  return section;
}

function links(title, numbers, missing) {
  const section = make("section", make("h3", title));
  const rows = numbers.slice(0, 50).map(n => {
    const button = make("button", `#${n} ${nodes.get(n).title}  ${nodes.get(n).shape}`);
    button.addEventListener("click", () => select(n));
    return button;
  });
  if (numbers.length > 50) rows.push(make("p", `and ${numbers.length - 50} more`));
  section.append(rows.length ? make("div", rows, { class: "links" }) : make("p", missing, { class: "kind" }));
  return section;
}

function select(n) {
  if (selected !== null) { boxes.get(selected).classList.remove("selected"); boxes.get(selected).tabIndex = -1; }
  selected = n;
  const node = nodes.get(n), missing = node.notes.includes("lazy") ? "Not computed yet." : "There is no data.";
  boxes.get(n).classList.add("selected");
  boxes.get(n).tabIndex = 0;
  for (const { path, source, target } of lines) path.classList.toggle("near", source === n || target === n);
  const facts = Object.entries(node.attributes);
  facts.unshift(["shape", node.shape]);
  if (node.op && node.name) facts.unshift(["op", node.op]);
  if (node.notes.length) facts.push(["note", node.notes.join(", ")]);
  const hidden = node.hidden ? `${node.hidden} inputs are not drawn.` : "None: a leaf.";
  details.replaceChildren(
    make("h2", node.title), make("p", `#${n}, ${node.kind === "op" ? "operation" : node.kind}`, { class: "kind" }),
    list(facts), values("Values", node.value, missing, "value"),
    values("Adjoint", node.grad, node.requires_grad ? "No gradient is kept here." : "Requires no gradient.", "grad"),
    links("Made from", node.inputs, node.notes.includes("graph freed") ? "Its inputs were freed." : hidden),
    links("Used by", node.consumers, data.outputs.includes(n) ? "Nothing here: an output." : "Nothing here."));
  details.scrollTop = 0;
  follow(n);
}

svg.addEventListener("click", event => {
  const group = event.target.closest(".node");
  if (group && !dragged) select(+group.id.slice(1));
});
svg.addEventListener("keydown", event => {
  const group = event.target.closest(".node");
  if (group && event.key === "Enter") select(+group.id.slice(1));
});

// Replaying: first the nodes one by one, then the walk back.

function showTime(step, follows = true) {
  step = Math.max(0, Math.min(order.length + data.backward.length, step));
  slider.value = step;
  const built = new Set(order.slice(0, step)), back = new Set(data.backward.slice(0, Math.max(0, step - order.length)));
  const walking = back.size > 0;
  const now = walking ? data.backward[back.size - 1] : step < order.length ? order[step - 1] : undefined;
  for (const [n, group] of boxes) {
    group.classList.toggle("later", !built.has(n));
    group.classList.toggle("back", back.has(n));
    group.classList.toggle("now", n === now);
  }
  for (const { path, source, target } of lines) {
    path.classList.toggle("later", !built.has(target));
    path.classList.toggle("back", back.has(target) && nodes.get(source).requires_grad);
  }
  document.body.classList.toggle("backwards", walking);
  byId("step").value = describe(step, now, walking);
  if (follows && now !== undefined) follow(now);
}

function describe(step, now, walking) {
  if (walking) {
    const node = nodes.get(now), goes = node.inputs.filter(x => nodes.get(x).requires_grad);
    const what = goes.length ? `hands shares to ${[...new Set(goes)].map(x => "#" + x).join(", ")}` : "has its gradient";
    return `backward ${step - order.length} of ${data.backward.length}: #${now} ${node.title} ${what}`;
  }
  if (!step) return "nothing is built yet";
  if (now === undefined) {
    return `built: ${order.length} nodes` + (data.backward.length ? `; \u2192 for the ${data.backward.length} steps back` : "");
  }
  return `forward ${step} of ${order.length}: #${now} ${nodes.get(now).title} ${nodes.get(now).shape}`;
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

slider.addEventListener("input", () => showTime(+slider.value));
byId("play").addEventListener("click", play);
byId("closer").addEventListener("click", () => zoom(1 / 1.3));
byId("farther").addEventListener("click", () => zoom(1.3));
byId("all").addEventListener("click", showAll);
byId("table").addEventListener("click", () => {
  byId("table").setAttribute("aria-expanded", String(byId("listing").classList.toggle("open")));
});

byId("find").addEventListener("keydown", event => {
  if (event.key !== "Enter") return;
  const words = event.target.value.toLowerCase();
  const found = order.filter(n => `#${n} ${nodes.get(n).title} ${nodes.get(n).op} ${nodes.get(n).shape}`
    .toLowerCase().includes(words));
  if (found.length) select(found.find(n => n > (selected ?? 0)) ?? found[0]);
});

const keys = {
  ArrowLeft: () => showTime(+slider.value - 1), ArrowRight: () => showTime(+slider.value + 1),
  Home: () => showTime(0), End: () => showTime(+slider.max), " ": play,
  ArrowUp: () => select(selected === null ? data.outputs[0] : nodes.get(selected).inputs[0] ?? selected),
  ArrowDown: () => select(selected === null ? order[0] : nodes.get(selected).consumers[0] ?? selected),
  "+": () => zoom(1 / 1.3), "-": () => zoom(1.3), 0: showAll,
};
document.addEventListener("keydown", event => {
  const busy = event.target.closest("input, #listing") || (event.key === " " && event.target.closest("button"));
  if (busy || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

let before = null;
window.addEventListener("beforeprint", () => { before = box; showAll(); });
window.addEventListener("afterprint", () => { if (before) setBox(before); });

// How it opens: all of it where that can be read, else its end; "#step=3&node=2" asks for a moment and a node.

function open() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (order.length && scale() < 0.5) center(data.outputs[0] ?? order[order.length - 1], 0.8);
  else if (scale() > 1.3) zoom(scale() / 1.3);
  showTime(wanted.has("step") ? +wanted.get("step") : order.length, wanted.has("step"));
  if (nodes.has(+wanted.get("node"))) select(+wanted.get("node"));
}
window.addEventListener("hashchange", open);
open();
