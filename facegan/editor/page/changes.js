// Every change of the edit goes through here: it ends the stroke that is drawn, can be undone, is said, drawn, painted
// by the server and kept in this browser.

import {brush, dab, fill, isInside, line, paintName} from "./brush.js";
import {showEdit} from "./controls.js";
import {
  doc, entry, face, isEdited, nameOf, pushUndo, redo, request, setColor, setGrid, setKeep, snapshot, undo,
} from "./edit.js";
import {at, say, warn} from "./elements.js";
import {refresh} from "./result.js";
import {FULL, keepEdit, keepReplaced, remember} from "./storage.js";
import {drawMap} from "./surface.js";

let stroke = null;   // {before: the state that undo goes back to, last: its last point, fills}
let picking = null;  // the colour input that is dragged through: one drag is one step of undo
let turns = 0;

// Actions that wait for the server: only the newest may change the edit when its answer comes.
export function takeTurn() {  // a function that says whether it is the newest still
  const turn = ++turns;
  return () => turn === turns;
}

// --- any change ------------------------------------------------------------------------------------------------------

export function change(words, action) {
  endStroke();
  pushUndo(snapshot());
  action();
  changed(words);
}

export function changed(words) {
  say(words);
  refresh();
  show();
  keepInBrowser();
}

function show() {
  drawMap();
  showEdit(picking);
}

function keepInBrowser() {
  const {fits, dropped, overwritten} = keepEdit(face.name, isEdited() ? entry() : null);
  if (!fits && isEdited()) warn(FULL);
  if (overwritten) {
    warn("Another tab had changed the edit of this face: that one is among the saved edits now" + wentFor(overwritten));
    dispatchEvent(new Event("strip"));
  }
  const names = dropped.map(nameOf).join(", ");
  if (fits && names) warn("This browser keeps no more edits: that of " + names + " is dropped.");
  remember("last", face.name);
}

const wentFor = ({dropped}) => dropped ? ", for which " + dropped + " older went." : ".";

export function tellOtherTab() {  // another tab has written something; if it is the edit of this face, say so
  const replaced = face && keepReplaced(face.name, isEdited() ? request() : null);
  if (!replaced) return;
  if (!replaced.fits) return warn("Another tab has changed the edit of this face. " + FULL);
  const mine = isEdited() ? "; yours is among the saved edits" + wentFor(replaced) : ".";
  warn("Another tab has changed the edit of this face, and a page that is loaded anew shows that one" + mine);
}

export function undoStep() {
  endStroke();
  if (undo()) changed("Undone."); else say("Nothing to undo.");
}

export function redoStep() {
  endStroke();
  if (redo()) changed("Redone."); else say("Nothing to redo.");
}

// --- colours, and what stays -----------------------------------------------------------------------------------------

export function pickColor(input, i, words) {
  if (picking !== input) {
    endStroke();
    pushUndo(snapshot());
  }
  picking = input;
  setColor(i, input.value);
  changed(words);
}

export const endPicking = () => { picking = null; };

export function keepRest(value) {
  at("keep").checked = value;
  setKeep(value);
  if (!face) return;
  say(value ? "The rest of the photo stays." : "The whole face is painted.");
  refresh();
}

// --- strokes ---------------------------------------------------------------------------------------------------------

export const isPainting = () => stroke !== null;

export function beginStroke(p) {
  stroke = {before: snapshot(), last: p, fills: brush.tool === "fill"};  // which it does at its end: see cancelStroke
  if (!stroke.fills) dab(p);
  show();
}

export function continueStroke(points) {
  if (!stroke || stroke.fills) return;
  for (const p of points) { line(stroke.last, p); stroke.last = p; }
  show();
}

// Also where it is cut short: what changes the edit meanwhile comes after it, and undo takes it first.
export function endStroke() {
  endPicking();
  if (!stroke) return;
  const {before, last, fills} = stroke;
  stroke = null;
  if (fills) return paintAt(last, "fill");
  finish(before, "Painted " + paintName() + ".");
}

export function cancelStroke() {  // a second finger came, so it was none
  if (!stroke) return;
  setGrid(stroke.before.doc.grid);
  stroke = null;
  show();
  refresh();  // a picture with a part of it may be asked for already
}

export function paintAt(p, tool = brush.tool) {  // a whole stroke at one place
  const before = snapshot(), fills = tool === "fill";
  if (!fills) dab(p); else if (isInside(p)) fill(p);
  finish(before, (fills ? "Filled with " : "Painted ") + paintName() + ".");
}

function finish(before, words) {
  if (before.doc.grid.every((value, i) => value === doc.grid[i])) return show();
  pushUndo(before);
  changed(words);
}
