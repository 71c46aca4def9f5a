// The handles of a shape on the map: a box that moves, grows and turns with it, and a knob; which one a pointer is on.

import {about} from "./about.js";

export const STILL = {right: 0, down: 0, scale: 1, turn: 0, mirror: false};

// in pixels of the screen: from the shape to its box, from the box to the knob, half of a handle's size
const MARGIN = 10, KNOB = 26, HALF = 7;

// {box: left, top, right and bottom edge of the shape before, how: as STILL}; null: there are none
export let handles = null;

export const setHandles = value => { handles = value; };

export function middleOf(how = handles.how) {  // of the shape as it is now, in pixels of the map
  const [left, top, right, bottom] = handles.box;
  return {x: (left + right) / 2 + how.right, y: (top + bottom) / 2 + how.down};
}

function halves(unit) {  // half the box's width and height; unit: pixels of the map in one of the screen
  const [left, top, right, bottom] = handles.box, {scale} = handles.how;
  return {x: (right - left) / 2 * scale + MARGIN * unit, y: (bottom - top) / 2 * scale + MARGIN * unit};
}

function turned(x, y) {  // an offset from the middle of a shape that stands upright -> its place
  const angle = handles.how.turn * Math.PI / 180, cos = Math.cos(angle), sin = Math.sin(angle), middle = middleOf();
  return {x: middle.x + cos * x - sin * y, y: middle.y + sin * x + cos * y};
}

function corners(unit) {
  const {x, y} = halves(unit);
  return [[-x, -y], [x, -y], [x, y], [-x, y]].map(offset => turned(...offset));
}

function withinReach(p, unit) {  // the nearest place within the picture: beyond it no pointer takes hold of a handle
  const low = HALF * unit, high = about.size - low, clamp = value => Math.min(high, Math.max(low, value));
  return {x: clamp(p.x), y: clamp(p.y)};
}

function grips(unit) {  // the corners in the picture, or where none is, what is nearest to them
  const all = corners(unit), within = all.filter(p => distance(p, withinReach(p, unit)) < HALF * unit);
  return within.length ? within : all.map(p => withinReach(p, unit));
}

function knob(unit, isInView) {  // over the box; where that is out of sight, under it, else within it
  const {y} = halves(unit), places = [-y - KNOB * unit, y + KNOB * unit, KNOB * unit - y].map(at => turned(0, at));
  return withinReach(places.find(isInView) || places[2], unit);
}

const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

export function gripAt(p, unit, isInView, reach) {  // "knob", "corner", "inside", null; reach: of the screen
  if (distance(p, knob(unit, isInView)) <= reach * unit) return "knob";
  const toCorner = Math.min(...grips(unit).map(grip => distance(p, grip))), toMiddle = distance(p, middleOf());
  if (toCorner <= reach * unit && toCorner < toMiddle) return "corner";
  const angle = -handles.how.turn * Math.PI / 180, middle = middleOf(), half = halves(unit);
  const x = p.x - middle.x, y = p.y - middle.y;
  const isInside = Math.abs(Math.cos(angle) * x - Math.sin(angle) * y) <= half.x &&
    Math.abs(Math.sin(angle) * x + Math.cos(angle) * y) <= half.y;
  return isInside ? "inside" : null;
}

export function drawHandles(ctx, unit, isInView) {
  const [first, ...others] = corners(unit), top = knob(unit, isInView);
  const path = new Path2D();
  path.moveTo(first.x, first.y);
  for (const p of others) path.lineTo(p.x, p.y);
  path.closePath();
  for (const p of grips(unit)) path.rect(p.x - 5 * unit, p.y - 5 * unit, 10 * unit, 10 * unit);
  path.moveTo(top.x + HALF * unit, top.y);
  path.arc(top.x, top.y, HALF * unit, 0, 7);
  strokeTwice(ctx, unit, path);
}

export function strokeTwice(ctx, unit, path) {  // to be seen on any colour
  for (const [width, color] of [[3, "#000"], [1.5, "#fff"]]) {
    ctx.lineWidth = width * unit;
    ctx.strokeStyle = color;
    ctx.stroke(path);
  }
}
