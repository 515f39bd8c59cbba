// What is told of a box that is clicked, at a position of the slider.

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

const counted = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;

// When what happened: for each node the positions of the slider at which it appeared, was computed and so on.

const times = new Map(order.map(n => [n, { appeared: Infinity, computed: Infinity, freed: Infinity, arrived: [] }]));
const handed = new Map();  // "source target": at which positions the target handed the source a share
const walks = [];  // at which positions a backward walk began, and ended
data.steps.forEach((step, i) => {
  const position = i + 1, time = times.get(step.node);
  if (step.kind === "backward_began") for (const n of step.outputs) times.get(n)?.arrived.push(position);
  if (step.kind.startsWith("backward")) walks.push([position, step.kind === "backward_began"]);
  if (!time) return;
  time.appeared = Math.min(time.appeared, position);
  if (step.kind === "computed") time.computed = Math.min(time.computed, position);
  if (step.kind === "freed") time.freed = Math.min(time.freed, position);
  if (step.kind !== "share") return;
  time.arrived.push(position);
  const pair = `${step.node} ${step.consumer}`;
  if (!handed.has(pair)) handed.set(pair, []);
  handed.get(pair).push(position);
});
for (const [n, time] of times) {
  const [first] = nodes.get(n).values;
  if (first) time.computed = Math.min(time.computed, Math.max(time.appeared, first[0]));
}

const lastOf = (pairs, position) => pairs.filter(([since]) => since <= position).at(-1)?.[1];

// The beginning of the last walk, and whether it still goes on.
function walkAt(position) {
  const past = walks.filter(([at]) => at <= position), began = past.filter(([, begins]) => begins).length;
  const start = past.filter(([, begins]) => begins).at(-1)?.[0] ?? 0;
  return { start, goesOn: began > past.length - began };
}

// What is known of a node.

function histogram(h) {
  const most = Math.max(...h.counts), step = 100 / h.counts.length;
  const bars = h.counts.map((count, i) => {
    const height = count ? Math.max(1.5, 100 * count / most) : 0;
    return svgElement("rect", { x: i * step, y: 100 - height, width: step * 0.92, height });
  });
  const said = { role: "img", "aria-label": `Histogram from ${h.low} to ${h.high}` };
  const shape = { class: "histogram", viewBox: "0 0 100 100", preserveAspectRatio: "none" };
  const figure = svgElement("svg", { ...shape, ...said }, bars);
  return make("div", [figure, make("div", [make("span", h.low), make("span", h.high)], { class: "ends" })]);
}

function values(title, arrays, missing, kind) {
  const section = make("section", make("h3", title), { class: kind });
  if (!arrays) section.append(make("p", missing, { class: "kind" }));
  (arrays ?? []).forEach((s, i) => {
    if (arrays.length > 1) section.append(make("h3", `element ${i}`));
    if (s.note) { section.append(make("p", s.note)); return; }
    const rows = "min" in s ? [["min", s.min], ["max", s.max], ["mean", s.mean]] : [];
    if ("std" in s) rows.push(["std", s.std]);
    rows.push(["elements", s.size.toLocaleString("en")], ["memory", counted(s.bytes, "byte")], ["zeros", s.zero]);
    if (s.nan) rows.push(["NaN", s.nan, true]);
    if (s.inf) rows.push(["infinite", s.inf, true]);
    section.append(list(rows));
    if (s.histogram && s.histogram.counts.length > 1) section.append(histogram(s.histogram));
    if (s.dropped) section.append(make("p", "The recording kept no more of it: record(keep=...).", { class: "kind" }));
    else section.append(make("p", s.first.join(", ") + (s.size > s.first.length ? ", ..." : ""), { class: "first" }));
  });
  return section;
}

function source(lines) {
  if (!lines.length) return [];
  const [user, ...library] = lines.map(number => data.lines[number]);
  const rows = user.around.length ? user.around : [[user.short.split(":").at(-1), user.text]];
  const isThere = ([number]) => user.short.endsWith(`:${number}`);
  const code = rows.map(row =>
    make("div", [make("span", String(row[0])), row[1] || " "], isThere(row) ? { class: "here" } : {}));
  const section = make("section", [make("h3", `Made at ${user.short} in ${user.function}`), make("pre", code)]);
  section.title = user.file;
  if (library.length) {
    const calls = library.map(line =>
      make("li", `${line.short} ${line.function}`, { title: `${line.file}\n${line.text}` }));
    const heading = make("summary", `through ${counted(calls.length, "line")} of Needle`);
    section.append(make("details", [heading, make("ol", calls)]));
  }
  return [section];
}

function links(title, numbers, missing) {
  const section = make("section", make("h3", title));
  const rows = [...new Set(numbers)].filter(n => nodes.has(n)).slice(0, 50).map(n => {
    const button = make("button", `#${n} ${nodes.get(n).title}  ${nodes.get(n).shape}`);
    button.addEventListener("click", () => { uncover(n); select(`n${n}`); });
    return button;
  });
  if (numbers.length > 50) rows.push(make("p", `and ${numbers.length - 50} more`));
  section.append(rows.length ? make("div", rows, { class: "links" }) : make("p", missing, { class: "kind" }));
  return section;
}

function tellNode(node, position) {
  const n = node.number, time = times.get(n);
  const kind = `#${n}, ${node.kind === "op" ? "operation" : node.kind}${node.backward ? " of a backward walk" : ""}`;
  const facts = [["shape", node.shape]];
  if (node.op && node.name) facts.unshift(["op", node.op]);
  if (node.attributes) facts.push(["attributes", node.attributes]);
  const paths = around(node.group).map(group => group.path || group.title).filter(Boolean);
  if (paths.length) facts.push(["in", paths[0]]);
  const notes = [...node.notes, ...(time.freed <= position ? ["let go by a backward walk"] : [])];
  if (notes.length) facts.push(["note", notes.join(", ")]);
  const value = lastOf(node.values, position), adjoint = lastOf(node.adjoints, position);
  const arrived = time.arrived.some(at => at <= position);
  const noAdjoint = adjoint === null || arrived ? "It has arrived; its values are not known here."
    : node.requires_grad ? "None has arrived." : "Requires no gradient.";
  const began = data.steps.slice(0, position).some(step => step.kind === "backward_began" && step.outputs.includes(n));
  const hidden = node.hidden ? `${node.hidden} inputs are not drawn.` : "None: a leaf.";
  return [
    make("h2", node.title), make("p", kind, { class: "kind" }), list(facts), ...source(node.lines),
    values("Values", time.appeared <= position ? data.values[value] : null,
      time.appeared > position ? "It does not exist yet." : "Not computed yet.", "value"),
    values("Adjoint", data.values[adjoint], began ? "Backward begins here." : noAdjoint, "grad"),
    links("Made from", node.inputs, node.notes.includes("graph freed") ? "Its inputs were freed." : hidden),
    links("Used by", node.consumers, data.outputs.includes(n) ? "Nothing here: an output." : "Nothing here."),
  ];
}

function tellGroup(group, position) {
  const there = group.nodes.filter(node => times.get(node.number).appeared <= position);
  const bytes = there.reduce((sum, node) =>
    sum + (data.values[lastOf(node.values, position)] ?? []).reduce((all, array) => all + (array.bytes ?? 0), 0), 0);
  const inside = new Set(group.nodes.map(node => node.number));
  const inputs = group.nodes.flatMap(node => node.inputs).filter(x => !inside.has(x));
  const outputs = group.nodes.filter(node => node.consumers.some(n => !inside.has(n))).map(node => node.number);
  const facts = [["nodes", group.nodes.length], ["operations", group.nodes.filter(node => node.op).length],
    ["there", there.length], ["memory", counted(bytes, "byte")]];
  if (group.path) facts.unshift(["path", group.path]);
  return [
    make("h2", group.title), make("p", group.backward ? "of a backward walk" : group.kind, { class: "kind" }),
    list(facts), links("Needs", inputs, "Nothing from outside."),
    links("Gives", outputs, "Nothing that is used outside."),
  ];
}

