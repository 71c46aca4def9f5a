// Keys: tools and regions anywhere on the page, and painting without a pointer on the canvas.

import {about, keyOf, regionNumbers} from "./about.js";
import {brush} from "./brush.js";
import {addCorner, clearCorners, closeCorners, isPainting, paintAt, redoStep, undoStep} from "./changes.js";
import {setRegion, setSize, setTool} from "./controls.js";
import {face, shown} from "./edit.js";
import {at, say} from "./elements.js";
import {save} from "./saved.js";
import {cancelDrag, mirror, moveShape, scaleShape, turnShape} from "./shaping.js";
import {cursor, followCursor, moveView, setCursor, view, viewSide, zoom} from "./surface.js";

const KEYS = {
  b: () => setTool("brush"), e: () => setTool("eraser"), f: () => setTool("fill"), h: () => setTool("hand"),
  v: () => setTool("shape"), l: () => setTool("lasso"), i: () => setTool("eyedropper"), m: mirror,
  "[": () => resize(-1), "]": () => resize(1), z: undoStep, Z: redoStep, s: save,
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: () => moveView(1, 0, 0),
  ",": () => stepRegion(-1), ".": () => stepRegion(1),
};
for (let i = 1; i <= 9; i++) KEYS[i] = () => {
  const number = regionNumbers().find(number => keyOf(number) === i);
  if (number !== undefined) setRegion(number);
};

const SHAPE_KEYS = {  // on the canvas
  "+": () => scaleShape(1.05), "=": () => scaleShape(1.05), "-": () => scaleShape(1 / 1.05),
  ",": () => turnShape(-5), ".": () => turnShape(5),
};

const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

export function listenToKeys() {
  document.addEventListener("keydown", press);
}

function press(event) {
  if (!face || isWriting(event.target) || isPainting() || event.altKey || at("comparison").open) return;
  const lower = event.key.toLowerCase();  // Caps Lock turns z and Z around
  if (event.ctrlKey || event.metaKey) {
    const isRedo = lower === "y" || (lower === "z" && event.shiftKey);
    if (!isRedo && lower !== "z") return;
    event.preventDefault();
    return isRedo ? redoStep() : undoStep();
  }
  if (event.target === at("canvas") && pressOnCanvas(event)) return event.preventDefault();
  const action = KEYS[/^[a-z]$/.test(lower) && event.shiftKey ? lower.toUpperCase() : lower];
  if (action) { event.preventDefault(); action(); }
}

function isWriting(target) {
  return target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName) ||
    (target.tagName === "INPUT" && !/^(range|checkbox|radio|button|file|color)$/.test(target.type));
}

function stepRegion(sign) {  // the region before or after the chosen one
  const numbers = regionNumbers(), place = numbers.indexOf(brush.region) + sign + numbers.length;
  setRegion(numbers[place % numbers.length]);
}

function resize(sign) {
  setSize(brush.size + sign * Math.max(1, brush.size / 6));
  say("Brush " + brush.size + ".");
}

function pressOnCanvas(event) {  // whether the key means something there
  const arrow = ARROWS[event.key], far = event.shiftKey ? 8 : 1;
  if (brush.tool === "shape") return shapeByKey(event.key, arrow, far);
  if (arrow && brush.tool === "hand") moveViewBy(...arrow);
  else if (arrow) moveCursorBy(...arrow, far);
  else if (event.key === "Escape") clearCorners();
  else if ((event.key !== " " && event.key !== "Enter") || brush.tool === "hand") return false;
  else if (brush.tool !== "lasso") paintAt(cursorOrMiddle(), event.shiftKey);
  else if (event.key === " ") addCorner({...cursorOrMiddle()});
  else closeCorners();
  return true;
}

function shapeByKey(key, arrow, far) {
  if (arrow) moveShape(arrow[0] * far, arrow[1] * far);
  else if (key === "Escape") cancelDrag();
  else if (SHAPE_KEYS[key]) SHAPE_KEYS[key]();
  else return false;
  return true;
}

function moveViewBy(x, y) {
  const far = viewSide() / 8;
  moveView(view.scale, view.x + x * far, view.y + y * far);
  say("View from " + Math.round(view.x) + ", " + Math.round(view.y) + ".");
}

function moveCursorBy(x, y, far) {
  const from = cursorOrMiddle(), s = about.size, clamp = value => Math.min(s - .5, Math.max(.5, value));
  setCursor({x: clamp(from.x + x * far), y: clamp(from.y + y * far)});
  const column = Math.floor(cursor.x), row = Math.floor(cursor.y);
  say(column + ", " + row + ": " + about.words[shown(row * s + column)] + ".");
  followCursor();
}

function cursorOrMiddle() {
  if (!cursor) setCursor({x: about.size / 2 + .5, y: about.size / 2 + .5});
  return cursor;
}
