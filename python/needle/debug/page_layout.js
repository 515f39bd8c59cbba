"use strict";
// Where boxes and lines go, so that every box is below what it was made from.
//
// After Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981. Each
// open group is laid out by itself, the innermost first, and is then one box in the group around it:
//
// 1. A line that runs through several groups is cut into links, one in each. Where it comes into a group is its entry,
//    in the first layer; where it goes out is its exit, in the last.
// 2. A member's layer is the length of the longest path to it; but a leaf, and what is made of one leaf only (a bias
//    that is broadcast, say), goes right above its first consumer.
// 3. A link that crosses a layer gets a place in it, like a box without width; links from one box share these places.
// 4. In each layer boxes are ordered by the mean place of their neighbours, in sweeps down and up.
// 5. Given the order, boxes go as near as they can to the mean of their neighbours without touching. Each layer as a
//    whole is then shifted, so that a deep graph does not drift away to one side.

// Pixels: between layers, between a layer and the entries or exits, between boxes of a layer, what a passing line
// takes, within the edge of a group, and for its title.
const LAYER = 38, ENDS = 14, GAP = 18, LINE = 9, PAD = 10, TITLE = 24;
const SWEEPS = 10;
// How much more a passing line weighs than a box where they push each other: a straight line is easier to follow.
const STIFFNESS = 4;
// What hangs on one leaf weighs less: the way of the data is to be straight, and the parameters stand beside it.
const LIGHT = 0.2;
// Over how many layers to each side the middle of a deep graph is averaged.
const DRIFT = 12;

// `root` is an open group: {key, members, width}, `width` being the least; a member is another one, or a box
// {key, width, height}. An edge {source, target, slot, slots} goes to input `slot` of `slots`. The result has the boxes
// by key, {x, y, width, height} with the middle in x and y, and lines {points, edges} with the edges that run there.
function arrange(root, edges) {
  const groupOf = new Map(), boxes = new Map(), lines = [];
  enlist(root, groupOf);
  for (const edge of edges) cutIntoLinks(edge, root, groupOf);
  arrangeGroup(root);
  settle(root, root.width / 2, root.height / 2, boxes, lines);
  return { boxes, lines, width: root.width, height: root.height };
}

function enlist(group, groupOf) {
  group.links = new Map();
  for (const member of group.members) {
    groupOf.set(member.key, group);
    if (member.members) enlist(member, groupOf);
  }
}

function groupsAround(key, groupOf) {
  const found = [];
  for (let group = groupOf.get(key); group; group = groupOf.get(group.key)) found.push(group);
  return found;
}

function cutIntoLinks(edge, root, groupOf) {
  const up = groupsAround(edge.source, groupOf), down = groupsAround(edge.target, groupOf);
  let within = root;
  while (up.length && down.length && up.at(-1) === down.at(-1)) { within = up.pop(); down.pop(); }
  let from = { item: edge.source, port: "" };
  for (const group of up) {
    link(group, from, { item: `exit ${edge.source}`, port: "" }, edge);
    from = { item: group.key, port: `exit ${edge.source}` };
  }
  for (const group of down.reverse()) {
    link(within, from, { item: group.key, port: `entry ${edge.source}` }, edge);
    from = { item: `entry ${edge.source}`, port: "" };
    within = group;
  }
  link(within, from, { item: edge.target, port: "", slot: edge.slot, slots: edge.slots }, edge);
}

function link(group, from, to, edge) {
  const name = JSON.stringify([from.item, from.port, to.item, to.port, to.slot]);
  if (!group.links.has(name)) group.links.set(name, { from, to, edges: [] });
  group.links.get(name).edges.push(edge);
}

function arrangeGroup(group) {
  for (const member of group.members) if (member.members) arrangeGroup(member);
  const vertices = verticesOf(group), links = [...group.links.values()];
  for (const link of links) {
    link.upper = vertices.get(link.from.item);
    link.lower = vertices.get(link.to.item);
    link.out = port(link.upper, link.from);
    link.in = port(link.lower, link.to);
  }
  setLayers([...vertices.values()], links);
  const rows = [];
  for (const vertex of vertices.values()) (rows[vertex.layer] ??= []).push(vertex);
  for (let i = 0; i < rows.length; i++) rows[i] ??= [];
  const stems = stemsOf(links, rows);
  sortRows(rows);
  spread(rows);
  measure(group, rows);
  group.lines = stems.flatMap(stem => linesOf(stem, rows, group));
}

// Members, entries and exits, in topological order: a cycle of groups is cut where it closes.
function verticesOf(group) {
  const found = new Map(), sources = new Map(), sorted = new Map();
  const add = (key, member) => {
    if (!found.has(key)) found.set(key, { key, member, x: 0, above: [], below: [], end: member ? "" : key.split(" ")[0],
      width: member?.width ?? LINE, height: member?.height ?? 0 });
  };
  for (const { from } of group.links.values()) if (from.item.startsWith("entry ")) add(from.item, null);
  for (const member of group.members) add(member.key, member);
  for (const { to } of group.links.values()) if (to.item.startsWith("exit ")) add(to.item, null);
  for (const key of found.keys()) sources.set(key, new Set());
  for (const { from, to } of group.links.values()) sources.get(to.item).add(from.item);
  const visit = key => {
    if (sorted.has(key)) return;
    const vertex = found.get(key);
    sorted.set(key, vertex);
    for (const source of sources.get(key)) visit(source);
    sorted.delete(key);
    sorted.set(key, vertex);
  };
  for (const key of found.keys()) visit(key);
  [...sorted.values()].forEach((vertex, place) => { vertex.place = place; });
  return sorted;
}

// Where a link arrives at a box or leaves it, from -0.5 (the left corner) to 0.5: inputs evenly from left to right.
function port(vertex, end) {
  if (end.port) return vertex.member.ports.get(end.port);
  return end.slots ? (end.slot + 1) / (end.slots + 1) - 0.5 : 0;
}

function setLayers(vertices, links) {
  const forward = links.filter(link => link.upper.place < link.lower.place);
  const sources = new Map(vertices.map(vertex => [vertex, new Set()]));
  for (const link of forward) sources.get(link.lower).add(link.upper);
  for (const vertex of vertices) {
    const above = [...sources.get(vertex)];
    vertex.layer = 1 + Math.max(-1, ...above.map(v => v.layer));
    vertex.light = !vertex.end && above.length <= 1 && above.every(v => v.light);
  }
  const first = new Map();
  for (const vertex of [...vertices].reverse()) {
    if (vertex.light && first.has(vertex)) vertex.layer = first.get(vertex) - 1;
    for (const v of sources.get(vertex)) {
      if (vertex.end !== "exit") first.set(v, Math.min(first.get(v) ?? Infinity, vertex.layer));
    }
  }
  const last = Math.max(...vertices.filter(v => v.end !== "exit").map(v => v.layer), 0);
  for (const vertex of vertices) if (vertex.end === "exit") vertex.layer = last + 1;
}

// The links from one port, in the order in which they turn off, with the places that they share in the layers between.
function stemsOf(links, rows) {
  const stems = new Map();
  for (const link of links) {
    const name = JSON.stringify(link.from);
    if (!stems.has(name)) stems.set(name, { upper: link.upper, out: link.out, links: [], places: [] });
    stems.get(name).links.push(link);
  }
  for (const stem of stems.values()) {
    stem.links.sort((a, b) => a.lower.layer - b.lower.layer || a.in - b.in);
    let [upper, out] = [stem.upper, stem.out];
    for (let layer = upper.layer + 1; layer < stem.links.at(-1).lower.layer; layer++) {
      const place = { layer, light: upper.light, width: LINE, height: 0, x: 0, above: [], below: [], end: "passing" };
      join(upper, place, out, 0);
      stem.places.push(place);
      rows[layer].push(place);
      [upper, out] = [place, 0];
    }
    for (const { lower, in: arrival } of stem.links) {
      const steps = lower.layer - stem.upper.layer;
      if (steps === 1) join(stem.upper, lower, stem.out, arrival);
      else if (steps > 1) join(stem.places[steps - 2], lower, 0, arrival);
    }
  }
  return [...stems.values()];
}

function join(upper, lower, out, arrival) {
  upper.below.push({ other: lower, own: out, its: arrival });
  lower.above.push({ other: upper, own: arrival, its: out });
}

// The x that the neighbours in the layer before give a vertex; `unit` stands for the widths where places count.
function wanted(vertex, downwards, unit) {
  let links = downwards ? vertex.above : vertex.below;
  if (downwards && !vertex.light && links.some(link => !link.other.light)) links = links.filter(l => !l.other.light);
  if (!links.length) return vertex.x;
  const wishes = links.map(({ other, own, its }) =>
    other.x + its * (unit ?? other.width) - own * (unit ?? vertex.width));
  return wishes.reduce((a, b) => a + b) / wishes.length;
}

function sortRows(rows) {
  const number = row => row.forEach((vertex, place) => { vertex.x = place - row.length / 2; });
  rows.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) {
      for (const vertex of row) vertex.wish = wanted(vertex, down, 1);
      row.sort((a, b) => a.wish - b.wish);
      number(row);
    }
  }
}

// Give all vertices their x, near the mean of their neighbours and in the order that they have.
function spread(rows) {
  for (const row of rows) pushApart(row, row.map(() => 0));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) pushApart(row, row.map(v => wanted(v, down)));
    for (const row of rows) pushApart(row, row.map(v => (wanted(v, true) + wanted(v, false)) / 2));
  }
  const middles = rows.map(row => row.reduce((sum, v) => sum + v.x, 0) / (row.length || 1));
  rows.forEach((row, layer) => {
    const around = middles.slice(Math.max(layer - DRIFT, 0), layer + DRIFT + 1);
    const shift = around.reduce((a, b) => a + b) / around.length;
    for (const vertex of row) vertex.x -= shift;
  });
}

// The x of a row nearest to those wished (least squares) that keep the distances: neighbours that collide pool.
// Measured from where each would be if all were pushed together to the left, the x must not fall along the row: an
// isotonic regression, which pooling solves exactly.
function pushApart(row, wishes) {
  const offsets = [0], pools = [];
  for (let i = 1; i < row.length; i++) offsets.push(offsets[i - 1] + (row[i - 1].width + row[i].width) / 2 + GAP);
  row.forEach((vertex, i) => {
    let weight = (vertex.end ? STIFFNESS : 1) * (vertex.light ? LIGHT : 1), count = 1;
    let total = weight * (wishes[i] - offsets[i]);
    while (pools.length && pools.at(-1).total / pools.at(-1).weight >= total / weight) {
      const other = pools.pop();
      total += other.total; weight += other.weight; count += other.count;
    }
    pools.push({ total, weight, count });
  });
  const settled = pools.flatMap(({ total, weight, count }) => Array(count).fill(total / weight));
  row.forEach((vertex, i) => { vertex.x = settled[i] + offsets[i]; });
}

// The size of a group, the y of its layers, and where its entries and exits are on its edges.
function measure(group, rows) {
  const all = rows.flat(), edge = group.key === "root" ? 0 : PAD, title = group.key === "root" ? 0 : TITLE;
  const left = Math.min(...all.map(v => v.x - v.width / 2)), right = Math.max(...all.map(v => v.x + v.width / 2));
  group.width = Math.max(right - left + 2 * edge, group.width);
  let y = title + edge;
  rows.forEach((row, layer) => {
    if (layer) y += [row, rows[layer - 1]].some(r => r.every(v => v.end)) ? ENDS : LAYER;
    row.top = y;
    y += Math.max(...row.map(v => v.height), 0);
    row.bottom = y;
    for (const vertex of row) {
      vertex.x += (group.width - right - left) / 2;
      vertex.y = vertex.light ? row.bottom - vertex.height / 2 : row.top + vertex.height / 2;
    }
  });
  group.height = y + edge;
  group.vertices = all.filter(vertex => vertex.member);
  group.ports = new Map(all.filter(v => v.key && v.end).map(v => [v.key, v.x / group.width - 0.5]));
}

// The trunk of a stem from each turning to the next one, and what turns off there: so no stretch is drawn twice.
function linesOf({ upper, out, links, places }, rows, group) {
  const x = upper.x + out * upper.width, y = upper.end ? 0 : upper.y + upper.height / 2, found = [];
  const trunk = [[x, y], [x, rows[upper.layer].bottom]];
  let drawn = 0;
  links.forEach(({ lower, in: arrival, edges }, i) => {
    for (const place of places.slice(trunk.length / 2 - 1, Math.max(lower.layer - upper.layer - 1, 0))) {
      trunk.push([place.x, rows[place.layer].top], [place.x, rows[place.layer].bottom]);
    }
    if (trunk.length - 1 > drawn) {
      found.push({ points: trunk.slice(drawn), edges: links.slice(i).flatMap(link => link.edges) });
      drawn = trunk.length - 1;
    }
    const end = [lower.x + arrival * lower.width, lower.end ? group.height : lower.y - lower.height / 2];
    found.push({ points: [trunk.at(-1), [end[0], rows[lower.layer].top], end], edges });
  });
  return found;
}

function settle(group, x, y, boxes, lines) {
  const [left, top] = [x - group.width / 2, y - group.height / 2];
  for (const line of group.lines) {
    lines.push({ ...line, points: line.points.map(([px, py]) => [px + left, py + top]) });
  }
  for (const vertex of group.vertices) {
    const at = { x: vertex.x + left, y: vertex.y + top, width: vertex.width, height: vertex.height };
    boxes.set(vertex.key, at);
    if (vertex.member.members) settle(vertex.member, at.x, at.y, boxes, lines);
  }
}
