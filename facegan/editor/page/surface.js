// The canvas that is painted on: the photograph, the map over it, the brush's outline, zoom.

import {about} from "./about.js";
import {brush} from "./brush.js";
import {doc, face, shown} from "./edit.js";
import {at, makeSheet, say} from "./elements.js";
import {OWN} from "./grid.js";

const MOST_ZOOM = 16;

export let view;           // it shows the square of side S / scale at (x, y), in pixels of the map
export let cursor = null;  // where the brush is, in pixels of the map; null: nowhere
let opacity = 0.55;
let photo, overlay;        // sheets of S x S
let colors;                // of the palette, one 32-bit number each, as ImageData has them in memory
let isPlanned = false;

export function prepareSurface() {
  photo = makeSheet(about.size);
  overlay = makeSheet(about.size);
  colors = new Uint32Array(new Uint8ClampedArray(about.palette.flatMap(
    text => [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16)).concat(255))).buffer);
  new ResizeObserver(draw).observe(at("canvas"));
}

export function showPhoto(picture) {
  photo.getContext("2d").drawImage(picture, 0, 0);
  view = {scale: 1, x: 0, y: 0};
}

export function setCursor(p) { cursor = p; draw(); }

export function setOpacity(value) { opacity = value; draw(); }

// --- view ------------------------------------------------------------------------------------------------------------

export const viewSide = () => about.size / view.scale;

export function place(event) {  // a pointer's place in pixels of the map
  const box = at("canvas").getBoundingClientRect(), unit = viewSide() / box.width;
  return {x: view.x + (event.clientX - box.left) * unit, y: view.y + (event.clientY - box.top) * unit};
}

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
  const pixels = new Uint32Array(about.size ** 2);
  for (let i = 0; i < pixels.length; i++) {
    const value = shown(i);
    pixels[i] = value || doc.grid[i] < OWN ? colors[value] : 0;  // background is seen only where it was painted
  }
  overlay.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), about.size), 0, 0);
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
  ctx.imageSmoothingEnabled = false;
  ctx.globalAlpha = opacity;
  ctx.drawImage(overlay, 0, 0);
  ctx.globalAlpha = 1;
  if (cursor && brush.tool !== "hand") drawBrush(ctx, unit);
}

function drawBrush(ctx, unit) {
  const r = brush.tool === "fill" ? 1 : Math.max(.5, brush.size / 2);
  for (const [width, color] of [[3, "#000"], [1.5, "#fff"]]) {
    ctx.beginPath();
    ctx.arc(cursor.x, cursor.y, r, 0, 7);
    ctx.lineWidth = width * devicePixelRatio / unit;
    ctx.strokeStyle = color;
    ctx.stroke();
  }
}
