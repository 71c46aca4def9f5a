// Mouse, pen and fingers on the canvas: strokes, moving the view, zoom.

import {about} from "./about.js";
import {brush} from "./brush.js";
import {beginStroke, cancelStroke, continueStroke, endStroke, isPainting} from "./changes.js";
import {face} from "./edit.js";
import {at} from "./elements.js";
import {cancelDrag, dragTo, drop, grasp, isDragging} from "./shaping.js";
import {clampZoom, moveView, place, setCursor, view, zoom} from "./surface.js";

const pointers = new Map();
let pan = null;  // the view where it began, and from: the event of one pointer, or fingers: those of two

export const stopPan = () => { pan = null; };

export function listenToPointer() {
  const canvas = at("canvas");
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => { if (!isPainting()) setCursor(null); });
  canvas.addEventListener("contextmenu", event => event.preventDefault());
  canvas.addEventListener("wheel", wheel, {passive: false});
}

function down(event) {
  if (!face) return;
  event.preventDefault();
  at("canvas").focus({preventScroll: true});
  pointers.set(event.pointerId, event);
  try { at("canvas").setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
  if (pointers.size === 2) {  // a second finger: it was no stroke
    cancelStroke();
    cancelDrag();
    pan = {...view, fingers: [...pointers.values()]};
    return;
  }
  const p = place(event);
  setCursor(p);
  if (brush.tool === "hand" || event.button === 1) pan = {...view, from: event};
  else if (event.button !== 0 || pointers.size !== 1) return;
  else if (brush.tool === "shape") grasp(p, event.pointerType);
  else beginStroke(p, event.shiftKey);
}

function move(event) {
  if (!face) return;
  if (pointers.has(event.pointerId)) pointers.set(event.pointerId, event);
  if (pan) return panTo(event);
  setCursor(place(event));
  if (isDragging()) return dragTo(place(event), event.shiftKey);
  const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  continueStroke((events.length ? events : [event]).map(place), event.shiftKey);
}

function up(event) {
  if (!pointers.delete(event.pointerId)) return;
  if (pan) {
    if (!pointers.size) stopPan();
  } else if (isDragging()) {
    if (event.type === "pointercancel") cancelDrag(); else drop();
  } else if (isPainting()) {
    if (event.type === "pointercancel") cancelStroke(); else endStroke();
  }
}

function panTo(event) {
  const box = at("canvas").getBoundingClientRect(), unit = about.size / pan.scale / box.width;
  if (pan.from) {
    const {clientX, clientY} = pan.from;
    return moveView(pan.scale, pan.x - (event.clientX - clientX) * unit, pan.y - (event.clientY - clientY) * unit);
  }
  if (pointers.size >= 2) pinch(box, unit);
}

function pinch(box, unit) {  // what lay between the two fingers stays there
  const [a, b] = pan.fingers, [c, d] = [...pointers.values()];
  const distance = (p, q) => Math.hypot(p.clientX - q.clientX, p.clientY - q.clientY) || 1;
  const middle = (p, q) => ({x: (p.clientX + q.clientX) / 2 - box.left, y: (p.clientY + q.clientY) / 2 - box.top});
  const scale = clampZoom(pan.scale * distance(c, d) / distance(a, b)), newUnit = about.size / scale / box.width;
  const from = middle(a, b), to = middle(c, d);
  moveView(scale, pan.x + from.x * unit - to.x * newUnit, pan.y + from.y * unit - to.y * newUnit);
}

function wheel(event) {
  if (!face || (view.scale === 1 && event.deltaY > 0)) return;  // nothing to zoom out of: the page scrolls
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), place(event));
}
