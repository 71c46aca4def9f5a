// The canvas that is painted on: the photograph, the map over it, the brush's outline, zoom.

import {about} from "./about.js";
import {brush, isBroad} from "./brush.js";
import {doc, face, shown} from "./edit.js";
import {at, makeSheet, say} from "./elements.js";
import {OWN} from "./grid.js";
import {drawHandles, handles, strokeTwice} from "./handles.js";
import {doubled} from "./rims.js";

const MOST_ZOOM = 16;
const FINEST = 512;        // side up to which the visible part of the map is doubled

export let view;           // it shows the square of side S / scale at (x, y), in pixels of the map
export let cursor = null;  // where the brush is, in pixels of the map; null: nowhere
let opacity = 0.55;
let outline = [];          // the lasso's line so far
let photo;                 // a sheet of S x S
let cells;                 // the map in colours, a 32-bit number for each pixel
let enlarged = {};         // what is in sight of it with smooth rims: {sheet, cells, left, top, side}
let colors;                // of the palette, one 32-bit number each, as ImageData has them in memory
let isPlanned = false;

export function prepareSurface() {
  photo = makeSheet(about.size);
  colors = new Uint32Array(new Uint8ClampedArray(about.palette.flatMap(
    text => [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16)).concat(255))).buffer);
  new ResizeObserver(draw).observe(at("canvas"));
}

export function showPhoto(picture) {
  photo.getContext("2d").drawImage(picture, 0, 0);
  view = {scale: 1, x: 0, y: 0};
}

export function setCursor(p) { cursor = p; draw(); }

export function setOutline(points) { outline = points; draw(); }

export function photoColor(p) {  // of the photograph, as #rrggbb
  const [red, green, blue] = photo.getContext("2d").getImageData(Math.floor(p.x), Math.floor(p.y), 1, 1).data;
  return "#" + [red, green, blue].map(value => value.toString(16).padStart(2, "0")).join("");
}

export function setOpacity(value) { opacity = value; draw(); }

// --- view ------------------------------------------------------------------------------------------------------------

export const viewSide = () => about.size / view.scale;

export function place(event) {  // a pointer's place in pixels of the map
  const box = at("canvas").getBoundingClientRect(), unit = viewSide() / box.width;
  return {x: view.x + (event.clientX - box.left) * unit, y: view.y + (event.clientY - box.top) * unit};
}

// pixels of the map in one of the screen
export const screenUnit = () => viewSide() / at("canvas").getBoundingClientRect().width;

export const isInView = p => p.x >= view.x && p.y >= view.y && p.x <= view.x + viewSide() && p.y <= view.y + viewSide();

export const clampZoom = scale => Math.min(MOST_ZOOM, Math.max(1, scale));

export function moveView(scale, x, y) {
  scale = clampZoom(scale);
  const most = about.size - about.size / scale;
  view = {scale, x: Math.min(most, Math.max(0, x)), y: Math.min(most, Math.max(0, y))};
  draw();
}

function zoomCenter() {  // the cursor where it is in sight, else the middle of the view
  const side = viewSide(), isInSight = value => value >= 0 && value <= side;
  if (cursor && brush.tool !== "hand" && isInSight(cursor.x - view.x) && isInSight(cursor.y - view.y)) return cursor;
  return {x: view.x + side / 2, y: view.y + side / 2};
}

export function zoom(factor, center = zoomCenter()) {
  const scale = clampZoom(view.scale * factor), k = view.scale / scale;
  moveView(scale, center.x - (center.x - view.x) * k, center.y - (center.y - view.y) * k);
  say("Zoom " + Math.round(view.scale * 100) + " %.");
}

export function followCursor() {  // the view moves as far as it must to contain the cursor
  const side = viewSide(), to = (from, value) => Math.min(value - .5, Math.max(from, value + .5 - side));
  moveView(view.scale, to(view.x, cursor.x), to(view.y, cursor.y));
}

// --- drawing ---------------------------------------------------------------------------------------------------------

export function drawMap() {  // after a change of the map
  cells = new Uint32Array(about.size ** 2);
  for (let i = 0; i < cells.length; i++) {
    const value = shown(i);
    cells[i] = value || doc.grid[i] < OWN ? colors[value] : 0;  // background is seen only where it was painted
  }
  draw();
}

export function draw() {
  if (isPlanned) return;
  isPlanned = true;
  requestAnimationFrame(() => { isPlanned = false; if (face) drawNow(); });
}

function drawNow() {
  const canvas = at("canvas"), side = Math.round(canvas.getBoundingClientRect().width * devicePixelRatio);
  if (canvas.width !== side && side) canvas.width = canvas.height = side;
  const ctx = canvas.getContext("2d"), unit = side / viewSide();
  ctx.setTransform(unit, 0, 0, unit, -view.x * unit, -view.y * unit);
  ctx.imageSmoothingEnabled = true;
  ctx.globalAlpha = 1;
  ctx.drawImage(photo, 0, 0);
  ctx.globalAlpha = opacity;
  drawCells(ctx);
  ctx.globalAlpha = 1;
  if (outline.length) drawOutline(ctx, unit);
  if (brush.tool === "shape") { if (handles) drawHandles(ctx, devicePixelRatio / unit, isInView); }
  else if (cursor && brush.tool !== "hand") drawBrush(ctx, unit);
}

function drawCells(ctx) {  // what is in sight of the map, with smooth rims
  const s = about.size, side = Math.min(s, Math.ceil(viewSide()) + 3);
  const first = value => Math.min(s - side, Math.max(0, Math.floor(value) - 1));
  const left = first(view.x), top = first(view.y), wanted = {cells, left, top, side};
  if (!Object.entries(wanted).every(([name, value]) => enlarged[name] === value)) {
    enlarged = {...wanted, sheet: enlargedSheet(left, top, side)};
  }
  ctx.drawImage(enlarged.sheet, left, top, side, side);
}

function enlargedSheet(left, top, side) {
  const s = about.size;
  let pixels = new Uint32Array(side * side), fine = side;
  for (let row = 0; row < side; row++) {
    const from = (top + row) * s + left;
    pixels.set(cells.subarray(from, from + side), row * side);
  }
  while (2 * fine <= FINEST) {
    pixels = doubled(pixels, fine, fine);
    fine *= 2;
  }
  const sheet = makeSheet(fine);
  sheet.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), fine), 0, 0);
  return sheet;
}

function drawOutline(ctx, unit) {
  const path = new Path2D();
  for (const p of outline) path.lineTo(p.x, p.y);
  path.closePath();
  strokeTwice(ctx, devicePixelRatio / unit, path);
}

function drawBrush(ctx, unit) {
  const r = isBroad(brush.tool) ? Math.max(.5, brush.size / 2) : 1;
  const path = new Path2D();
  path.arc(cursor.x, cursor.y, r, 0, 7);
  strokeTwice(ctx, devicePixelRatio / unit, path);
}
