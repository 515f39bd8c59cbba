// What is drawn: the boxes and groups that are to be seen while some groups are folded, and the lines between them.

const data = JSON.parse(document.getElementById("data").textContent);
const nodes = new Map(data.boxes.map(box => [box.number, { ...box, consumers: [] }]));
const groups = new Map(data.groups.map(group => [group.number, { ...group, nodes: [] }]));
const opened = new Set(data.opened);
const order = [...nodes.keys()];
const LONGEST = 40, HEIGHT = 40;

for (const node of nodes.values()) {
  for (const x of new Set(node.inputs)) nodes.get(x)?.consumers.push(node.number);
  for (const group of around(node.group)) group.nodes.push(node);
}

// The groups that hold a group, from itself to the outermost.
function around(number) {
  const found = [groups.get(number)];
  while (found.at(-1).number !== 0) found.push(groups.get(found.at(-1).parent));
  return found;
}

const nameOf = group => {
  const outer = group.number ? groups.get(group.parent).path : "";
  const path = outer && group.path.startsWith(`${outer}.`) ? group.path.slice(outer.length + 1) : group.path;
  return [path, group.title].filter(Boolean).join(": ");
};

// What stands for a node in the drawing: its own box, or that of the outermost folded group around it.
function shownAs(node) {
  const folded = around(node.group).filter(group => !opened.has(group.number));
  return folded.length ? `g${folded.at(-1).number}` : `n${node.number}`;
}

// How wide a text is in pixels: of the size of a heading, or of what is written small below it.
const pen = document.createElement("canvas").getContext("2d");
function widthOf(text, size) {
  pen.font = `${size}px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

// Of a long path the end tells more, of an op the beginning.
const cut = (text, longest) => text.length <= longest ? text : `${text.slice(0, longest - 1)}\u2026`;
const cutName = name => name.length <= LONGEST ? name : `\u2026${name.slice(1 - LONGEST)}`;

function textsOf(key) {
  const item = key[0] === "n" ? nodes.get(+key.slice(1)) : groups.get(+key.slice(1));
  if (key[0] === "g") {
    const numbers = item.nodes.map(node => node.number), count = `${numbers.length.toLocaleString("en")} nodes`;
    const range = `${count}, #${Math.min(...numbers)} to #${Math.max(...numbers)}`;
    return [cutName(nameOf(item)), numbers.length === 1 ? item.nodes[0].title : item.kind === "run" ? range : count];
  }
  const small = [...(item.name && item.op ? [item.op] : []), item.shape];
  return [item.name ? cutName(item.name) : cut(item.title, LONGEST), cut(small.join(" \u00b7 "), LONGEST + 8)];
}

// The tree of what is to be seen, for `arrange`.
function treeOf() {
  const open = new Map([[0, { key: "root", members: [], width: 0 }]]), seen = new Set();
  for (const node of nodes.values()) {
    const key = shownAs(node);
    if (seen.has(key)) continue;
    seen.add(key);
    const chain = around(key[0] === "n" ? node.group : groups.get(+key.slice(1)).parent).reverse();
    for (const group of chain.slice(1)) {
      if (open.has(group.number)) continue;
      const width = widthOf(nameOf(group), 12) + 50;
      open.set(group.number, { key: `g${group.number}`, members: [], width });
      open.get(group.parent).members.push(open.get(group.number));
    }
    const [heading, small] = textsOf(key);
    const width = Math.max(76, widthOf(heading, 13) + 22, widthOf(small, 10.5) + 22) + (key[0] === "g" ? 24 : 0);
    open.get(chain.at(-1).number).members.push({ key, width, height: HEIGHT });
  }
  return open.get(0);
}

// What stands for a group: itself, or the outermost folded group around it.
function shownAsGroup(group) {
  const folded = around(group.parent).filter(outer => !opened.has(outer.number));
  return `g${(folded.at(-1) ?? group).number}`;
}

// An edge for each input; what goes from or to a folded group only once. `pairs` are the nodes that it joins. Edges
// that only order lead to a backward walk from what it differentiates, and from one step to the next.
function edgesOf() {
  const found = new Map();
  const add = (source, target, pair, slot, slots, orders) => {
    if (source === target) return;
    const into = target[0] === "n" ? { slot, slots } : { slot: 0, slots: 1 };
    const name = `${source} ${target} ${into.slot} ${orders}`;
    if (!found.has(name)) found.set(name, { source, target, ...into, orders, pairs: [] });
    found.get(name).pairs.push(pair);
  };
  for (const node of nodes.values()) {
    node.inputs.forEach((x, slot) => {
      if (nodes.has(x)) add(shownAs(nodes.get(x)), shownAs(node), [x, node.number], slot, node.inputs.length, false);
    });
  }
  for (const group of groups.values()) {
    const target = shownAsGroup(group), [first] = group.nodes;
    for (const n of group.begins_at) {
      if (nodes.has(n)) add(shownAs(nodes.get(n)), target, [n, first.number], 0, 1, true);
    }
    for (const before of group.after) {
      add(shownAsGroup(groups.get(before)), target, [groups.get(before).nodes[0].number, first.number], 0, 1, true);
    }
  }
  return [...found.values()];
}

// Drawing.

function svgElement(tag, attributes, content = []) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...[content].flat());
  return element;
}

// Upright within the layers, and a smooth curve between them.
function pathOf(points) {
  const round = x => Math.round(x * 10) / 10;
  return points.map(([x, y], i) => {
    if (!i) return `M${round(x)} ${round(y)}`;
    const [x0, y0] = points[i - 1], middle = round((y0 + y) / 2);
    if (Math.abs(x - x0) < 0.5) return `L${round(x)} ${round(y)}`;
    return `C${round(x0)} ${middle} ${round(x)} ${middle} ${round(x)} ${round(y)}`;
  }).join("");
}

function drawBox(key, at) {
  const node = key[0] === "n" ? nodes.get(+key.slice(1)) : null, group = node ? null : groups.get(+key.slice(1));
  const isOpen = group !== null && opened.has(group.number), backward = (node ?? group).backward;
  const classes = node ? ["node", node.kind] : ["group", isOpen ? "open" : "folded"];
  if (backward) classes.push("backward");
  if (node?.hidden) classes.push("cut");
  if (node && data.outputs.includes(node.number)) classes.push("output");
  const [heading, small] = isOpen ? [nameOf(group), ""] : textsOf(key);
  const left = -at.width / 2, top = -at.height / 2, size = { width: at.width, height: at.height };
  const radius = node && !node.op ? HEIGHT / 2 : node ? 4 : 8;
  const parts = [svgElement("rect", { x: left, y: top, ...size, rx: radius, class: "body" })];
  if (isOpen) {
    parts.push(svgElement("rect", { x: left, y: top, width: at.width, height: TITLE, rx: radius, class: "title" }),
      sign(left + 13, top + 12, false));
  } else {
    const middle = group ? 12 : 0;
    parts.push(svgElement("text", { x: middle, y: -3 }, heading),
      svgElement("text", { x: middle, y: 12, class: "small" }, small));
    if (group) parts.push(sign(left + 16, 0, true));
  }
  const what = node ? `${node.kind} ${node.number}: ${heading}, ${small}` : heading;
  const state = group ? { "aria-expanded": String(isOpen) } : {};
  const transform = `translate(${at.x.toFixed(1)} ${at.y.toFixed(1)})`;
  const said = { role: "button", tabindex: -1, "aria-label": what, ...state };
  return svgElement("g", { class: classes.join(" "), id: key, transform, ...said }, parts);
}

// Plus or minus: that a click opens or folds.
function sign(x, y, plus) {
  const path = `M${x - 4} ${y}h8${plus ? `M${x} ${y - 4}v8` : ""}`;
  return svgElement("g", { class: "sign" },
    [svgElement("circle", { cx: x, cy: y, r: 7.5 }), svgElement("path", { d: path })]);
}

// Lay out and draw what is to be seen; says what is where.
function draw(svg) {
  const scene = arrange(treeOf(), edgesOf());
  scene.elements = new Map();
  scene.labels = new Map();  // of open groups, above the lines
  const open = [], rest = [];
  for (const [key, at] of scene.boxes) {
    const element = drawBox(key, at), isOpen = element.classList.contains("open");
    scene.elements.set(key, element);
    (isOpen ? open : rest).push(element);
    if (!isOpen) continue;
    const place = { x: at.x - at.width / 2 + 26, y: at.y - at.height / 2 + 16, class: "label" };
    scene.labels.set(key, svgElement("text", place, nameOf(groups.get(+key.slice(1)))));
  }
  for (const line of scene.lines) {
    const kind = line.edges.every(edge => edge.orders) ? "line orders" : "line";
    line.path = svgElement("path", { class: kind, d: pathOf(line.points) });
  }
  const layers = [...open, ...scene.lines.map(line => line.path), ...scene.labels.values(), ...rest];
  svg.replaceChildren(svgElement("g", { id: "drawing" }, layers));
  return scene;
}
