// The painting surface of edit.py. The edit lives here: a grid of regions, seven colours, whose map and whose identity.
// Every request brings all of it, so the server keeps no edit, and a reload or a restart loses none.

const UNPAINTED = 255, OWN = 254;  // as in facegan/editor/editing.py
const MOST_UNDO = 80, MOST_SAVED = 24, MOST_KEPT = 30;
const at = id => document.getElementById(id);
const wait = ms => new Promise(done => setTimeout(done, ms));

let about;                    // what the server says of itself
let face;                     // the open face: {name, own, colors, has, photo}
let under;                    // Uint8Array: the regions of the map under the paint, the face's own or a borrowed one
let doc;                      // the edit: {face, map, grid, colors, identity}
let done = [], undone = [];   // earlier and later states of doc, with their `under`
let tool = "brush", region = 4, size = 12, opacity = 0.55, keep = true, taking = "whole map";
let view = {scale: 1, x: 0, y: 0};   // the canvas shows the square of side S / scale at (x, y), in pixels of the map
let cursor = null, stroke = null, pan = null;
const pointers = new Map();
let photo, overlay, original, edited;      // canvases of S x S
const times = [];             // milliseconds from the end of each change to its picture

// --- server ----------------------------------------------------------------------------------------------------------

async function ask(path, content, type) {
  const options = {headers: {"x-session": session()}};
  if (content !== undefined) {
    options.method = "POST";
    options.body = type ? content : JSON.stringify(content);
    options.headers["content-type"] = type || "application/json";
  }
  const answer = await fetch("/editor/" + path, options).catch(unreachable);
  if (answer.ok) return answer;
  let told = null;
  try { told = (await answer.json()).error; } catch { /* no sentence came */ }
  const error = new Error(told || "The server answered " + answer.status + ".");
  error.status = answer.status;
  throw error;
}

const isGone = error => error.status === 400 || error.status === 410;  // a face or a map that the server has no more
const unreachable = error => { error.unreachable = true; throw error; };

function session() {
  return kept("session", () => about && about.session) || "";
}

function encode(grid) {  // runs of a value and a length of two bytes, in base64
  const bytes = [];
  for (let i = 0; i < grid.length;) {
    let n = 1;
    while (i + n < grid.length && grid[i + n] === grid[i] && n < 65535) n++;
    bytes.push(grid[i], n & 255, n >> 8);
    i += n;
  }
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.slice(i, i + 8192));
  return btoa(text);
}

function decode(text) {
  const bytes = atob(text), grid = new Uint8Array(about.size * about.size);
  for (let i = 0, to = 0; i < bytes.length; i += 3) {
    const n = bytes.charCodeAt(i + 1) + 256 * bytes.charCodeAt(i + 2);
    grid.fill(bytes.charCodeAt(i), to, to += n);
  }
  return grid;
}

const request = () => ({...doc, grid: encode(doc.grid), colors: [...doc.colors], keep});

const painted = async asked => bitmap(await (await ask("paint", asked)).blob().catch(unreachable));

// One request at a time; when its answer comes and the edit has moved on, the newest state is sent, and none between.
let wanted = 0, busy = false, changedAt = 0, troubled = false;

async function refresh() {
  wanted++;
  changedAt = performance.now();
  if (busy) return;
  busy = true;
  at("fe-busy").classList.add("on");
  for (let number = 0; number !== wanted;) {
    number = wanted;
    const of = face, since = changedAt;
    try {
      const picture = await painted(request());
      if (of === face) {
        edited.getContext("2d").drawImage(picture, 0, 0);
        drawResult();
        if (number === wanted) times.push(performance.now() - since);
      }
      if (troubled) warn("");
      troubled = false;
    } catch (error) {
      troubled = true;
      if (!error.unreachable) {
        const lent = isGone(error) && (doc.map || doc.identity);
        warn(error.message + (lent ? " To go on without it, borrow another or start over; undo brings this edit back." : ""));
      } else {  // nobody there: the edit is safe here, so try again
        warn("The server does not answer. Your edit is kept in this browser; trying again ...");
        await wait(2000);
        wanted++;
      }
    }
  }
  busy = false;
  at("fe-busy").classList.remove("on");
}

// --- words -----------------------------------------------------------------------------------------------------------

const say = text => { at("fe-status").textContent = text; };
const warn = text => { if (at("fe-alert").textContent !== text) at("fe-alert").textContent = text; };
const tried = action => async (...values) => {  // what fails says so on the page
  try { warn(""); return await action(...values); } catch (error) { warn(error.message); }
};

// --- what stays in this browser --------------------------------------------------------------------------------------

const store = name => "facegan:" + (name === "session" ? "" : about.id + ":") + name;

function kept(name, first = () => null) {
  try {
    const text = localStorage.getItem(store(name));
    if (text !== null) return JSON.parse(text);
  } catch { /* no storage here, or somebody else's words in it */ }
  const value = first();
  if (value !== null && value !== undefined) remember(name, value);
  return value;
}

function remember(name, value) {
  try { localStorage.setItem(store(name), JSON.stringify(value)); return true; } catch { return false; }
}

const FULL = "This browser keeps no more edits: download it.";

function keepEdit() {  // each face's edit, the newest MOST_KEPT of them
  const edits = kept("edits", () => ({}));
  if (isEdited()) edits[face.name] = {...doc, grid: encode(doc.grid), time: Date.now()};
  else delete edits[face.name];
  const names = Object.keys(edits).sort((a, b) => edits[b].time - edits[a].time);
  const dropped = names.splice(MOST_KEPT);
  for (const name of dropped) delete edits[name];
  let fits = remember("edits", edits);
  while (!fits && names.length > 1) {
    dropped.push(names.pop());
    delete edits[dropped.at(-1)];
    fits = remember("edits", edits);
  }
  if (!fits && isEdited()) warn(FULL);
  if (fits && dropped.length) warn("This browser keeps no more edits: that of " + dropped.map(nameOf).join(", ") + " is dropped.");
  remember("last", face.name);
}

// --- the edit --------------------------------------------------------------------------------------------------------

const shown = i => doc.grid[i] < OWN ? doc.grid[i] : doc.grid[i] === OWN ? face.own[i] : under[i];
const snapshot = () => ({under, doc: {...doc, grid: doc.grid.slice(), colors: doc.colors.slice()}});
const blank = () => ({face: face.name, map: null, grid: new Uint8Array(about.size ** 2).fill(UNPAINTED),
                      colors: Array(7).fill(null), identity: null});

const docOf = entry => ({face: entry.face, map: entry.map, grid: decode(entry.grid), colors: [...entry.colors],
                         identity: entry.identity});

const isEdited = () => doc.map || doc.identity || doc.colors.some(x => x) || doc.grid.some(x => x !== UNPAINTED);

function pushUndo(before) {
  done.push(before);
  if (done.length > MOST_UNDO) done.shift();
  undone = [];
}

// Actions that wait for the server: only the newest may change the edit when its answer comes.
let turns = 0;
const turn = () => { const mine = ++turns; return () => mine === turns; };

function change(words, action) {
  endStroke();
  pushUndo(snapshot());
  action();
  changed(words);
}

function changed(words) {
  say(words);
  refresh();
  show();
  keepEdit();
}

function step(from, to, word) {
  endStroke();
  if (!from.length) return say("Nothing to " + word + ".");
  to.push(snapshot());
  ({under, doc} = from.pop());
  changed(word === "undo" ? "Undone." : "Redone.");
}

const colorOf = i => doc.colors[i] || face.colors[i];
const nameOf = name => /^\d+$/.test(name) ? "face " + name : "your picture";

const bitmap = blob => createImageBitmap(blob, {colorSpaceConversion: "none"});

async function source(name) {
  const found = await (await ask("show/" + encodeURIComponent(name), {})).json();
  return {...found, own: decode(found.regions)};
}

async function lentMap(name) {  // null when it is gone: the face opens all the same, and its edit stays as it is
  try { return await source(name); } catch (error) { if (!isGone(error)) throw error; return null; }
}

function mapIsHere(name, own) {  // it may have been gone, and what was painted over it goes on
  endStroke();
  for (const state of [...done, ...undone]) if (state.doc.map === name) state.under = own;
  if (doc.map !== name) return lend(name, {own}, "Your map.");
  under = own;
  changed("Your map is here again, and the edit goes on.");
}

async function open(name) {
  const newest = turn(), found = await source(name);
  if (!found.photo) throw new Error("That is a map alone: it has no photograph.");
  const picture = await bitmap(new Blob([Uint8Array.from(atob(found.photo), c => c.charCodeAt(0))]));
  const before = kept("edits", () => ({}))[name], lent = before && before.map ? await lentMap(before.map) : null;
  if (!newest()) return false;
  endStroke();
  pan = null;
  face = found;
  for (const canvas of [photo, original, edited]) canvas.getContext("2d").drawImage(picture, 0, 0);
  done = []; undone = [];
  under = lent ? lent.own : face.own;
  doc = before ? docOf(before) : blank();
  view = {scale: 1, x: 0, y: 0};
  const opened = nameOf(name);
  changed(opened[0].toUpperCase() + opened.slice(1) + (isEdited() ? ", with your edit as you left it." : ": paint on its map, or borrow from another face."));
  return true;
}

async function borrow(name) {
  const who = nameOf(name), what = taking;
  if (what.startsWith("photo")) return open(name);
  needFace();
  if (what === "identity") return change("Identity of " + who + ".", () => { doc.identity = name; });
  const newest = turn();
  if (what === "colours" || what === "whole map") {
    const other = await source(name);
    if (!newest()) return;
    if (what === "whole map") return lend(name, other, "Map of " + who + ".");
    return change("Colours of " + who + ".", () => {
      doc.colors = doc.colors.map((color, i) => other.has[i] ? other.colors[i] : color);
    });
  }
  const sent = doc.grid.slice(), asked = {...request(), region: what, from: name};
  const borrowed = decode((await (await ask("borrow", asked)).json()).grid);
  if (!newest()) return;
  change(what + " of " + who + ".", () => {  // what was painted meanwhile stays
    borrowed.forEach((value, i) => { if (value !== sent[i]) doc.grid[i] = value; });
  });
}

function lend(name, other, words) {
  change(words, () => { doc.map = name; under = other.own; doc.grid.fill(UNPAINTED); });
}

function needFace() {
  if (!face) throw new Error("No face is open: take the photo of one first, or upload yours.");
}

// --- painting --------------------------------------------------------------------------------------------------------

const code = () => tool === "eraser" ? OWN : region;
const what = () => tool === "eraser" ? "the photo's own map" : about.names[region];

const put = (i, value) => { if (shown(i) !== value) doc.grid[i] = value; };  // a region over itself is no edit

function dab(x, y) {  // all pixels whose middle lies within the brush; whole pixels only, so nothing is ever in between
  const s = about.size, r = size / 2, value = code();
  for (let row = Math.max(0, Math.floor(y - r)); row <= Math.min(s - 1, y + r); row++) {
    for (let column = Math.max(0, Math.floor(x - r)); column <= Math.min(s - 1, x + r); column++) {
      if ((column + .5 - x) ** 2 + (row + .5 - y) ** 2 <= Math.max(r * r, .5)) put(row * s + column, value);
    }
  }
}

function line(from, to) {
  const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / Math.max(.5, size / 4)));
  for (let i = 1; i <= steps; i++) dab(from.x + (to.x - from.x) * i / steps, from.y + (to.y - from.y) * i / steps);
}

function fill(x, y) {  // everything of the region under the pointer that hangs together with it
  const s = about.size, start = Math.floor(y) * s + Math.floor(x), from = shown(start), value = code();
  const seen = new Uint8Array(s * s), todo = [start];
  seen[start] = 1;
  while (todo.length) {
    const i = todo.pop(), column = i % s;
    for (const j of [column > 0 ? i - 1 : -1, column < s - 1 ? i + 1 : -1, i - s, i + s]) {
      if (j >= 0 && j < s * s && !seen[j] && shown(j) === from) { seen[j] = 1; todo.push(j); }
    }
  }
  for (let i = 0; i < s * s; i++) if (seen[i]) put(i, value);
}

const inside = p => p.x >= 0 && p.y >= 0 && p.x < about.size && p.y < about.size;

function paintAt(p, by = tool) {  // a whole stroke at one place
  const before = snapshot();
  if (by === "fill") { if (inside(p)) fill(p.x, p.y); } else dab(p.x, p.y);
  finish(before, by === "fill" ? "Filled with " + what() + "." : "Painted " + what() + ".");
}

function finish(before, words) {
  if (before.doc.grid.every((value, i) => value === doc.grid[i])) return show();
  pushUndo(before);
  changed(words);
}

// --- pointer and view ------------------------------------------------------------------------------------------------

const canvas = () => at("fe-canvas");

function place(event) {
  const box = canvas().getBoundingClientRect(), side = about.size / view.scale;
  return {x: view.x + (event.clientX - box.left) / box.width * side, y: view.y + (event.clientY - box.top) / box.height * side};
}

function moveView(scale, x, y) {
  const s = about.size;
  scale = Math.min(16, Math.max(1, scale));
  const most = s - s / scale;
  view = {scale, x: Math.min(most, Math.max(0, x)), y: Math.min(most, Math.max(0, y))};
  draw();
}

function middle() {  // what is zoomed about: the cursor where it is seen, else the middle of the view
  const side = about.size / view.scale, seen = value => value >= 0 && value <= side;
  if (cursor && tool !== "hand" && seen(cursor.x - view.x) && seen(cursor.y - view.y)) return cursor;
  return {x: view.x + side / 2, y: view.y + side / 2};
}

function zoom(factor, center = middle()) {
  const scale = Math.min(16, Math.max(1, view.scale * factor)), k = view.scale / scale;
  moveView(scale, center.x - (center.x - view.x) * k, center.y - (center.y - view.y) * k);
  say("Zoom " + Math.round(view.scale * 100) + " %.");
}

function down(event) {
  if (!face) return;
  event.preventDefault();
  canvas().focus({preventScroll: true});
  pointers.set(event.pointerId, event);
  try { canvas().setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
  if (pointers.size === 2) {  // a second finger: it was no stroke
    if (stroke) cancelStroke();
    pan = {...view, fingers: [...pointers.values()]};
    return show();
  }
  const p = cursor = place(event);
  if (tool === "hand" || event.button === 1) { pan = {...view, from: event}; return; }
  if (event.button !== 0 || pointers.size > 2) return;
  stroke = {before: snapshot(), last: p, fills: tool === "fill"};  // it fills at the end: a second finger may come yet
  if (!stroke.fills) dab(p.x, p.y);
  show();
}

function move(event) {
  if (!face) return;
  if (pointers.has(event.pointerId)) pointers.set(event.pointerId, event);
  if (pan) return panTo(event);
  cursor = place(event);
  if (stroke && !stroke.fills) {
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const p of (events.length ? events : [event]).map(place)) { line(stroke.last, p); stroke.last = p; }
    return show();
  }
  draw();
}

function panTo(event) {
  const box = canvas().getBoundingClientRect(), unit = about.size / pan.scale / box.width;
  if (pan.from) return moveView(pan.scale, pan.x - (event.clientX - pan.from.clientX) * unit, pan.y - (event.clientY - pan.from.clientY) * unit);
  if (pointers.size < 2) return;
  const [a, b] = pan.fingers, [c, d] = [...pointers.values()];
  const far = (p, q) => Math.hypot(p.clientX - q.clientX, p.clientY - q.clientY) || 1;
  const scale = Math.min(16, Math.max(1, pan.scale * far(c, d) / far(a, b)));
  const mid = (p, q, axis, from) => (p[axis] + q[axis]) / 2 - from;
  const x = pan.x + mid(a, b, "clientX", box.left) * unit, y = pan.y + mid(a, b, "clientY", box.top) * unit;
  const now = about.size / scale / box.width;
  moveView(scale, x - mid(c, d, "clientX", box.left) * now, y - mid(c, d, "clientY", box.top) * now);
}

function up(event) {
  if (!pointers.delete(event.pointerId)) return;
  if (pan) { if (!pointers.size) pan = null; return; }
  if (!stroke) return;
  if (event.type === "pointercancel") cancelStroke(); else endStroke();
}

function endStroke() {  // also where it is cut short: what changes the edit meanwhile comes after it, and undo takes it first
  picking = null;
  if (!stroke) return;
  const {before, last, fills} = stroke;
  stroke = null;
  if (fills) return paintAt(last, "fill");
  finish(before, "Painted " + what() + ".");
}

function cancelStroke() {  // a picture with a part of it may be asked for already, so ask anew
  doc.grid = stroke.before.doc.grid;
  stroke = null;
  show();
  refresh();
}

// --- drawing ---------------------------------------------------------------------------------------------------------

let colors;  // of the palette, one 32-bit number each, as ImageData has them in memory
let planned = false;

function show() {  // after a change of the map
  const pixels = new Uint32Array(about.size ** 2);
  for (let i = 0; i < pixels.length; i++) {
    const value = shown(i);
    pixels[i] = value || doc.grid[i] < OWN ? colors[value] : 0;  // background is seen only where it was painted
  }
  overlay.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), about.size), 0, 0);
  at("fe-undo").disabled = !done.length;
  at("fe-redo").disabled = !undone.length;
  const lent = [doc.map && "the map of " + nameOf(doc.map), doc.identity && "the identity of " + nameOf(doc.identity)];
  at("fe-lent").textContent = lent.some(x => x) ? "Borrowed: " + lent.filter(x => x).join(", ") : "";
  for (const input of document.querySelectorAll("#fe-palette input")) {
    const i = +input.dataset.region - 1;
    if (input !== picking) input.value = colorOf(i);
    input.nextElementSibling.hidden = doc.colors[i] === null;
  }
  draw();
}

function draw() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => { planned = false; if (face) drawNow(); });
}

function drawNow() {
  const shownOn = canvas(), box = shownOn.getBoundingClientRect(), side = Math.round(box.width * devicePixelRatio);
  if (shownOn.width !== side && side) shownOn.width = shownOn.height = side;
  const ctx = shownOn.getContext("2d"), unit = side / (about.size / view.scale);
  ctx.setTransform(unit, 0, 0, unit, -view.x * unit, -view.y * unit);
  ctx.imageSmoothingEnabled = true;
  ctx.globalAlpha = 1;
  ctx.drawImage(photo, 0, 0);
  ctx.imageSmoothingEnabled = false;
  ctx.globalAlpha = opacity;
  ctx.drawImage(overlay, 0, 0);
  ctx.globalAlpha = 1;
  if (cursor && tool !== "hand") {
    const r = tool === "fill" ? 1 : Math.max(.5, size / 2);
    for (const [width, color] of [[3, "#000"], [1.5, "#fff"]]) {
      ctx.beginPath();
      ctx.arc(cursor.x, cursor.y, r, 0, 7);
      ctx.lineWidth = width * devicePixelRatio / unit;
      ctx.strokeStyle = color;
      ctx.stroke();
    }
  }
}

function drawResult() {
  const ctx = at("fe-result").getContext("2d"), s = about.size, wipe = Math.round(at("fe-wipe").value / 100 * s);
  ctx.drawImage(edited, 0, 0);
  if (wipe) ctx.drawImage(original, 0, 0, wipe, s, 0, 0, wipe, s);
  at("fe-mini").getContext("2d").drawImage(at("fe-result"), 0, 0);
  at("fe-line").style.left = wipe / s * 100 + "%";
  at("fe-line").style.display = wipe ? "block" : "none";
}

// --- controls --------------------------------------------------------------------------------------------------------

function setTool(name) {
  tool = name;
  canvas().dataset.tool = name;
  for (const button of document.querySelectorAll("[data-tool][aria-pressed]")) button.setAttribute("aria-pressed", button.dataset.tool === name);
  say(name[0].toUpperCase() + name.slice(1) + ".");
  draw();
}

function setRegion(number) {
  region = number;
  if (tool === "eraser" || tool === "hand") setTool("brush");
  for (const button of document.querySelectorAll(".fe-region")) button.setAttribute("aria-pressed", +button.dataset.region === number);
  const none = face && number && !face.has[number - 1] && !doc.colors[number - 1];
  say("Painting " + about.names[number] + (none ? ". The photo has none: choose its colour." : "."));
}

function setSize(value) {
  size = Math.min(64, Math.max(1, Math.round(value)));
  at("fe-size").value = at("fe-size-out").textContent = size;
  draw();
}

function buildPalette() {
  for (const number of [1, 2, 3, 4, 5, 6, 7, 0]) {
    const name = about.names[number], item = document.createElement("li"), button = document.createElement("button");
    const swatch = document.createElement("span"), key = document.createElement("kbd");
    button.type = "button";
    button.className = "fe-region";
    button.dataset.region = number;
    button.setAttribute("aria-keyshortcuts", number || 8);
    swatch.className = "fe-swatch";
    swatch.style.background = about.palette[number];
    key.textContent = number || 8;
    key.setAttribute("aria-hidden", "true");
    button.append(swatch, name, key);
    button.addEventListener("click", () => setRegion(number));
    item.append(button);
    if (number) item.append(...colorControls(number, name));
    at("fe-palette").append(item);
  }
}

let picking = null;  // the colour input that is dragged through: one drag is one step of undo

function colorControls(number, name) {
  const input = document.createElement("input"), back = document.createElement("button");
  input.type = "color";
  input.dataset.region = number;
  input.setAttribute("aria-label", "Colour of " + name);
  input.title = "Colour of " + name + "; begins with the photo's mean";
  input.addEventListener("input", () => {
    if (!face) return;
    if (picking !== input) { endStroke(); pushUndo(snapshot()); }
    picking = input;
    doc.colors[number - 1] = input.value;
    changed("Colour of " + name + ".");
  });
  input.addEventListener("change", () => { picking = null; });
  back.type = "button";
  back.className = "fe-back";
  back.hidden = true;
  back.textContent = "↺";
  back.setAttribute("aria-label", "The photo's own colour of " + name);
  back.title = back.getAttribute("aria-label");
  back.addEventListener("click", () => change("The photo's own colour of " + name + ".", () => { doc.colors[number - 1] = null; }));
  return [input, back];
}

const KEYS = {
  b: () => setTool("brush"), e: () => setTool("eraser"), f: () => setTool("fill"), h: () => setTool("hand"),
  "[": () => { setSize(size - Math.max(1, size / 6)); say("Brush " + size + "."); },
  "]": () => { setSize(size + Math.max(1, size / 6)); say("Brush " + size + "."); },
  z: () => step(done, undone, "undo"), Z: () => step(undone, done, "redo"),
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: () => moveView(1, 0, 0), s: () => save(),
};
for (let i = 1; i <= 8; i++) KEYS[i] = () => setRegion(i % 8);

function key(event) {
  const target = event.target, writing = target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName) ||
    (target.tagName === "INPUT" && !/^(range|checkbox|radio|button|file|color)$/.test(target.type));
  if (!face || writing || stroke || event.altKey) return;
  const lower = event.key.toLowerCase();  // Caps Lock turns z and Z around
  if (event.ctrlKey || event.metaKey) {
    const redo = lower === "y" || (lower === "z" && event.shiftKey);
    if (!redo && lower !== "z") return;
    event.preventDefault();
    return step(...(redo ? [undone, done, "redo"] : [done, undone, "undo"]));
  }
  if (target === canvas() && canvasKey(event)) return event.preventDefault();
  const action = KEYS[/^[a-z]$/.test(lower) && event.shiftKey ? lower.toUpperCase() : lower];
  if (action) { event.preventDefault(); action(); }
}

function follow() {  // the view moves as far as it must to contain the cursor
  const side = about.size / view.scale, to = (from, value) => Math.min(value - .5, Math.max(from, value + .5 - side));
  moveView(view.scale, to(view.x, cursor.x), to(view.y, cursor.y));
}

function canvasKey(event) {  // painting and moving the view without a pointer
  const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
  const s = about.size;
  if (steps && tool === "hand") {
    const by = s / view.scale / 8;
    moveView(view.scale, view.x + steps[0] * by, view.y + steps[1] * by);
    say("View from " + Math.round(view.x) + ", " + Math.round(view.y) + ".");
    return true;
  }
  cursor ||= {x: s / 2 + .5, y: s / 2 + .5};
  if (steps) {
    const far = event.shiftKey ? 8 : 1, to = (value, by) => Math.min(s - .5, Math.max(.5, value + by * far));
    cursor = {x: to(cursor.x, steps[0]), y: to(cursor.y, steps[1])};
    const i = Math.floor(cursor.y) * s + Math.floor(cursor.x);
    say(Math.floor(cursor.x) + ", " + Math.floor(cursor.y) + ": " + about.names[shown(i)] + ".");
    follow();
  } else if (event.key === " " || event.key === "Enter") {
    if (tool === "hand") return false;
    paintAt(cursor);
  } else {
    return false;
  }
  return true;
}

// --- saved edits, faces, uploads, downloads --------------------------------------------------------------------------

const saved = () => kept("saved", () => []);

function thumbnail(picture) {
  const small = document.createElement("canvas");
  small.width = small.height = 96;
  small.getContext("2d").drawImage(picture, 0, 0, 96, 96);
  return small.toDataURL("image/jpeg", .8);
}

async function save() {
  endStroke();
  const asked = request(), entry = {...asked, time: Date.now(), picture: thumbnail(edited)};
  if (busy) {  // the picture of this edit is not there yet, and the next one may be of another
    say("Saving ...");
    try { entry.picture = thumbnail(await painted(asked)); } catch { /* the edit counts: the last picture will do */ }
  }
  const all = [entry, ...saved()], strip = all.slice(0, MOST_SAVED);
  let fits = remember("saved", strip);
  while (!fits && strip.length > 1) { strip.pop(); fits = remember("saved", strip); }
  drawStrip();
  if (!fits) { say("Not saved."); return warn(FULL); }
  const dropped = all.length - strip.length;
  say("Saved. " + strip.length + " in the strip" + (dropped ? "; no more fit, so " + dropped + " older went." : "."));
}

function drawStrip() {
  at("fe-strip").replaceChildren(...saved().map((entry, i) => {
    const item = document.createElement("li"), back = document.createElement("button"), forget = document.createElement("button");
    const picture = new Image(), when = new Date(entry.time).toLocaleString();
    picture.src = entry.picture;
    picture.alt = "";
    back.type = forget.type = "button";
    back.className = "fe-restore";
    back.title = nameOf(entry.face) + ", " + when;
    back.setAttribute("aria-label", "Restore the edit of " + back.title);
    back.append(picture);
    back.addEventListener("click", tried(() => restore(entry)));
    forget.className = "fe-forget";
    forget.textContent = "×";
    forget.setAttribute("aria-label", "Forget the edit of " + back.title);
    forget.addEventListener("click", () => { remember("saved", saved().filter((_, j) => j !== i)); drawStrip(); say("Forgotten."); });
    item.append(back, forget);
    return item;
  }));
}

async function restore(entry) {
  const newest = turn(), lent = entry.map ? await source(entry.map) : null;
  if (!newest()) return;
  if ((!face || entry.face !== face.name) && !await open(entry.face)) return;  // with its present edit, for undo
  change("Restored.", () => {
    under = lent ? lent.own : face.own;
    doc = docOf(entry);
  });
  setKeep(entry.keep);
}

let gallery = null;

async function showFaces(start) {
  gallery = await (await ask("faces?start=" + start)).json();
  at("fe-faces").replaceChildren(...gallery.numbers.map(k => {
    const button = document.createElement("button"), picture = new Image();
    button.type = "button";
    picture.src = "/editor/thumbnail/" + k;
    picture.alt = "face";
    picture.loading = "lazy";
    button.append(picture, " " + k);
    button.addEventListener("click", tried(() => borrow(String(k))));
    return button;
  }));
  at("fe-place").textContent = "Faces " + (gallery.place + 1) + " to " + (gallery.place + gallery.numbers.length) + " of " + gallery.count;
}

async function upload(input, kind) {
  const file = input.files[0];
  input.value = "";
  if (!file) return;
  if (kind === "map") needFace();
  if (file.size > about.maxBytes) throw new Error(file.name + " is larger than " + about.maxBytes / 1e6 + " MB: save it smaller.");
  say("Reading " + file.name + " ...");
  const newest = turn(), late = file.name + " came after you had gone on: upload it again.";
  const query = "?name=" + encodeURIComponent(file.name) + "&aligned=" + at("fe-aligned").checked;
  try {
    const {name, note} = await (await ask("upload/" + kind + query, file, "application/octet-stream")).json();
    if (!newest()) throw new Error(late);
    if (kind === "photo") {
      if (!await open(name)) throw new Error(late);
      say("Your photo" + (note ? ", " + note : "") + ": paint on its map, or borrow from another face.");
    } else {
      const lent = await source(name);
      if (!newest()) throw new Error(late);
      mapIsHere(name, lent.own);
    }
  } catch (error) { say("Not taken."); throw error; }
}

async function download(kind) {
  const answer = await ask("download/" + kind, request());
  const link = document.createElement("a"), url = URL.createObjectURL(await answer.blob());
  link.href = url;
  link.download = answer.headers.get("x-name");
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say("Downloaded " + link.download + ".");
}

// --- start -----------------------------------------------------------------------------------------------------------

function listen() {
  const surface = canvas();
  for (const [name, action] of [["pointerdown", down], ["pointermove", move], ["pointerup", up], ["pointercancel", up]]) surface.addEventListener(name, action);
  surface.addEventListener("pointerleave", () => { if (!stroke) { cursor = null; draw(); } });
  surface.addEventListener("contextmenu", event => event.preventDefault());
  surface.addEventListener("wheel", event => {
    if (!face || (view.scale === 1 && event.deltaY > 0)) return;  // nothing to zoom out of: the page scrolls
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), place(event));
  }, {passive: false});
  document.addEventListener("keydown", key);
  new ResizeObserver(draw).observe(surface);
  // on a phone, a small copy of the result stays in sight while one paints
  new IntersectionObserver(([seen]) => at("fe-mini").classList.toggle("on", !seen.isIntersecting)).observe(at("fe-result"));
  at("fe-mini").addEventListener("click", () => at("fe-result").scrollIntoView({block: "center"}));
  for (const button of document.querySelectorAll("#fe-tools [data-tool]")) {
    button.setAttribute("aria-pressed", button.dataset.tool === tool);
    button.addEventListener("click", () => setTool(button.dataset.tool));
  }
  const click = {undo: KEYS.z, redo: KEYS.Z, in: KEYS["+"], out: KEYS["-"], fit: KEYS[0], save,
                 reset: () => change("As the photo is.", () => { doc = blank(); under = face.own; })};
  for (const [name, action] of Object.entries(click)) at("fe-" + name).addEventListener("click", () => { if (face) action(); });
  at("fe-size").addEventListener("input", event => setSize(+event.target.value));
  at("fe-opacity").addEventListener("input", event => { opacity = event.target.value / 100; draw(); });
  at("fe-wipe").addEventListener("input", () => { if (face) drawResult(); });
  at("fe-photo").addEventListener("change", tried(event => upload(event.target, "photo")));
  at("fe-map").addEventListener("change", tried(event => upload(event.target, "map")));
}

function setKeep(value = true) {  // also in gradio's checkbox
  if (value !== keep) at("fe-keep").querySelector("input").click();
}

const drawn = async () => {  // gradio draws the page first
  while (!["fe-alert", "fe-canvas", "fe-result", "fe-strip", "fe-faces", "fe-own"].every(at)) await wait(30);
};

async function start() {
  about = await (await ask("about")).json();
  session();
  colors = new Uint32Array(new Uint8ClampedArray(about.palette.flatMap(
    text => [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16)).concat(255))).buffer);
  [photo, overlay, original, edited] = Array.from({length: 4}, () => {
    const sheet = document.createElement("canvas");
    sheet.width = sheet.height = about.size;
    return sheet;
  });
  for (const sheet of [at("fe-result"), at("fe-mini")]) sheet.width = sheet.height = about.size;
  buildPalette();
  listen();
  setRegion(4);
  setSize(Math.max(4, about.size / 20));
  drawStrip();
  const names = [about.first === null ? kept("last") : about.first, about.any].filter(name => name !== null);
  await showFaces(/^\d+$/.test(names[0]) ? names[0] : about.any);
  for (const name of names) {
    try { await open(String(name)); break; } catch (error) { warn(error.message); }
  }
}

window.faceEditor = {
  times,
  keep: value => { keep = value; if (face) { say(keep ? "The rest of the photo stays." : "The whole face is painted."); refresh(); } },
  take: value => { taking = value; say("A click on a face takes its " + value + "."); },
  turn: tried(way => gallery && showFaces(gallery[way])),
  goTo: tried(async number => { if (number !== null) await showFaces(Math.round(number)); }),
  download: tried(kind => face && download(kind)),
  state: () => ({doc: {...doc, grid: Array.from(doc.grid)}, shown: Array.from(doc.grid, (_, i) => shown(i)), busy, view, face: face.name}),
};
drawn().then(tried(start));
