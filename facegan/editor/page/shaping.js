// Shapes of the map: handles that move, scale and turn one, a mirror, and sliders for mouth, eyes and hair. The server
// computes what they give (facegan/editor/shaping.py), from the map they began with, until something else changes it.

import {about} from "./about.js";
import {brush, isInside} from "./brush.js";
import {changeIn, endStroke, waitFor} from "./changes.js";
import {setTool} from "./controls.js";
import {doc, face, request, setGrid, setSliders, shown, sliders, under} from "./edit.js";
import {at, make, say, tellFailure, warn} from "./elements.js";
import {gripAt, handles, middleOf, setHandles, STILL} from "./handles.js";
import {askAdjusted, askTransformed} from "./server.js";
import {draw, isInView, screenUnit} from "./surface.js";

const SLIDERS = {mouth: "Mouth open", eyes: "Eyes closed", hair: "Hair longer"};
const REACH = {mouse: 12, pen: 12, touch: 24};  // how near to a handle is on it, in pixels of the screen

// base: {request, under, face} where they began; grid: what they have made of it since, sliders by these amounts
const handling = {base: null, grid: null};
const sliding = {base: null, grid: null, amounts: {}};
let drag = null;       // {grip, start: the pointer's place, from: how the shape was then, step}
let slideStep = null;  // of the slider that is dragged: {isNew: whether it is still to become a step of undo}
let wanted = null;     // the newest change that is still to be asked for
let isAsking = false;
let showing = null;    // a promise of the handles, while they are on their way

export function listenToShapes() {
  at("shape").append(...Object.entries(about.shapes).map(([value, words]) => make("option", {value}, words)));
  at("shape").value = "mouth";
  at("shape").addEventListener("change", tellFailure(() => face && choose(at("shape").value)));
  at("mirror").addEventListener("click", mirror);
  for (const name of Object.keys(SLIDERS)) {
    at(name).addEventListener("input", () => { if (face) slide(name); });
    at(name).addEventListener("change", () => { slideStep = null; });
  }
  addEventListener("edit", keepUp);
  addEventListener("tool", () => { if (face && brush.tool === "shape") tellFailure(showHandles)(); });
}

const begin = work =>
  Object.assign(work, {base: {request: request(), under, face}, grid: doc.grid.slice(), amounts: {}});

const isCurrent = ({base, grid}) =>
  base && base.face === face && base.under === under && grid.every((value, i) => value === doc.grid[i]);

function keepUp() {  // something has changed the edit
  if (!isCurrent(sliding)) {  // undo goes back to what sliders made, too
    Object.assign(sliding, sliders && isCurrent(sliders) ? sliders : {base: null, amounts: {}});
    slideStep = null;
    for (const name of Object.keys(SLIDERS)) at(name).value = Math.round(100 * (sliding.amounts[name] || 0));
  }
  if (isCurrent(handling)) return;
  handling.base = drag = null;
  setHandles(null);
  if (brush.tool === "shape") showHandles(false).catch(error => warn(error.message));
}

// Only the newest of several changes is asked for while an answer is on its way.
function ask(change) {  // {work, send: the request -> its answer, words, step, amounts: of sliders}
  wanted = {...change, base: change.work.base};  // and no other: the face or its map may change while it waits
  if (!isAsking) waitFor(askAll());
}

async function askAll() {
  isAsking = true;
  while (wanted) {
    const next = wanted;
    wanted = null;
    try { await apply(next); } catch (error) {
      warn(error.message);
      if (next.work.base === next.base) next.work.base = null;
      keepUp();
    }
  }
  isAsking = false;
}

async function apply({work, base, send, words, step, amounts}) {
  if (!base || work.base !== base) return;
  const {grid} = await send(base.request);
  endStroke();
  if (work.base !== base) return;  // something else has changed the map meanwhile
  if (step.isNew && grid.every((value, i) => value === doc.grid[i])) return say(words);
  if (work === sliding) setSliders({...sliding});
  Object.assign(work, {grid, amounts});
  changeIn(step, words, () => setGrid(grid.slice()));
  if (work === sliding) setSliders({...sliding});
}

// --- sliders ---------------------------------------------------------------------------------------------------------

function slide(name) {
  if (!sliding.base) begin(sliding);
  slideStep ||= {isNew: true};
  const amounts = Object.fromEntries(Object.keys(SLIDERS).map(other => [other, at(other).value / 100]));
  const words = SLIDERS[name] + ": " + at(name).value + " %.";
  ask({work: sliding, send: base => askAdjusted(base, amounts), words, step: slideStep, amounts});
}

// --- handles ---------------------------------------------------------------------------------------------------------

async function choose(name) {
  at("shape").value = name;
  if (brush.tool === "shape") await showHandles(); else setTool("shape");
}

function showHandles(isChosen = true) {  // isChosen: by somebody who wants to hear of it
  const newest = askHandles(isChosen).finally(() => { if (showing === newest) showing = null; });
  return showing = newest;
}

async function askHandles(isChosen) {
  begin(handling);
  setHandles(null);
  const {base} = handling, name = at("shape").value, {box} = await askTransformed(base.request, name, STILL);
  if (handling.base !== base || name !== at("shape").value) return;
  if (box) setHandles({box, how: STILL});
  if (isChosen) say(box ? "Shape: " + about.shapes[name] + "." : "This map shows no " + about.shapes[name] + ".");
  draw();
}

// By keys or a button, as soon as there are handles; changesOf: how the shape is -> what becomes another.
const shapeBy = tellFailure(changesOf => waitFor(shapeOnceShown(changesOf)));

async function shapeOnceShown(changesOf) {
  if (!handles && !showing) showHandles();
  while (showing) await showing;
  if (handles) shapeTo(changesOf(handles.how));
}

function shapeTo(changes, step = {isNew: true}) {
  const size = about.size, clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const {right, down, scale, turn, mirror} = {...handles.how, ...changes}, [smallest, largest] = about.scales;
  const {x, y} = middleOf(STILL), within = (by, at) => clamp(Math.round(by), Math.ceil(-at), Math.floor(size - at));
  const how = {
    right: within(right, x), down: within(down, y), mirror,  // its middle stays in the picture, to be grasped again
    scale: clamp(scale, smallest, largest), turn: Math.round(turn) - 360 * Math.round(turn / 360),
  };
  setHandles({box: handles.box, how});
  draw();
  const name = at("shape").value;
  ask({work: handling, send: base => askTransformed(base, name, how), words: inWords(about.shapes[name], how), step});
}

function inWords(name, {right, down, scale, turn, mirror}) {
  const parts = [right + " right, " + down + " down", Math.round(scale * 100) + " %", turn + "°"];
  return name[0].toUpperCase() + name.slice(1) + ": " + parts.join(", ") + (mirror ? ", mirrored." : ".");
}

export function mirror() {
  if (!face) return;
  if (brush.tool !== "shape") setTool("shape");
  shapeBy(how => ({mirror: !how.mirror}));
}

export const moveShape = (x, y) => shapeBy(how => ({right: how.right + x, down: how.down + y}));
export const scaleShape = factor => shapeBy(how => ({scale: how.scale * factor}));
export const turnShape = degrees => shapeBy(how => ({turn: how.turn + degrees}));

// --- a pointer that drags --------------------------------------------------------------------------------------------

export const isDragging = () => drag !== null;

export function grasp(p, pointerType) {
  const grip = handles && gripAt(p, screenUnit(), isInView, REACH[pointerType] || REACH.mouse);
  drag = {grip: grip || "inside", start: p, from: grip && handles.how, step: {isNew: true}};
  if (grip) return;
  const number = isInside(p) ? shown(Math.floor(p.y) * about.size + Math.floor(p.x)) : 0;
  if (number) tellFailure(choose)(about.names[number]); else drag = null;
}

export function dragTo(p, isCoarse) {  // isCoarse: turn by 15 degrees at a time
  if (!handles) return;  // a region that was just chosen: its box is on its way
  const {grip, start} = drag, from = drag.from ||= handles.how;
  const x = p.x - start.x, y = p.y - start.y;
  if (grip === "inside") return shapeTo({right: from.right + x, down: from.down + y}, drag.step);
  const middle = middleOf(), length = q => Math.hypot(q.x - middle.x, q.y - middle.y) || 1;
  if (grip === "corner") return shapeTo({scale: from.scale * length(p) / length(start)}, drag.step);
  const angle = q => Math.atan2(q.y - middle.y, q.x - middle.x) * 180 / Math.PI;
  const turn = from.turn + angle(p) - angle(start);
  shapeTo({turn: isCoarse ? Math.round(turn / 15) * 15 : turn}, drag.step);
}

export function drop() { drag = null; }

export function cancelDrag() {  // a second finger came, or Escape, so it was none
  if (drag && drag.from && handles && handles.how !== drag.from) shapeTo(drag.from, drag.step);
  drag = null;
}
