// Every change of the edit goes through here: it ends the stroke that is drawn, can be undone, is said, drawn, painted
// by the server and kept in this browser.

import {about} from "./about.js";
import {brush, dab, fill, fillOutline, isBroad, isInside, line, paintName} from "./brush.js";
import {showEdit} from "./controls.js";
import {
  doc, dropEmptyStep, entry, face, isAsIn, isEdited, nameOf, pushUndo, redo, request, setColor, setGrid, setKeep,
  snapshot, undo,
} from "./edit.js";
import {at, say, warn} from "./elements.js";
import {refresh} from "./result.js";
import {FULL, keepEdit, keepReplaced, remember} from "./storage.js";
import {drawMap, photoColor, setOutline} from "./surface.js";

const MOST_WAIT = 5000;  // milliseconds that undo waits for a server that does not answer

let stroke = null;   // {before: the state that undo goes back to, tool, points: so far, straight: the line of Shift}
let lastEnd = null;  // {face, p}: where the last stroke ended, from where Shift draws on
let corners = [];    // of the lasso, set by keys
let picking = null;  // {input, step}: the input that is dragged through
let turns = 0;
const coming = new Set();  // promises of changes that wait for the server, which undo waits for

// Actions that wait for the server: only the newest may change the edit when its answer comes.
export function takeTurn() {  // a function that says whether it is the newest still
  const turn = ++turns;
  return () => turn === turns;
}

// --- any change ------------------------------------------------------------------------------------------------------

export function change(words, action) {
  endStroke();
  changeIn({isNew: true}, words, action);
}

// A step of undo may have several changes, as a drag has: {isNew: whether it is still to become one}. One that changes
// nothing, or nothing any more, is none.
export function changeIn(step, words, action) {
  const before = snapshot();
  action();
  if (!step.isNew) step.isNew = dropEmptyStep();
  else if (!isAsIn(before)) {
    pushUndo(before);
    step.isNew = false;
  }
  changed(words);
}

export function changed(words) {
  say(words);
  refresh();
  show();
  keepInBrowser();
  dispatchEvent(new Event("edit"));
}

function show() {
  drawMap();
  showEdit(picking && picking.input);
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

export function waitFor(change) {  // a promise of a change: what is undone meanwhile comes after it
  const forget = () => coming.delete(change);
  coming.add(change);
  change.then(forget, forget);
  return change;
}

async function afterWhatComes(action) {
  const open = face, all = async () => { while (coming.size) await Promise.allSettled(coming); };
  if (coming.size) {
    say("Waiting for the server ...");
    await Promise.race([all(), new Promise(resolve => setTimeout(resolve, MOST_WAIT))]);
  }
  if (open === face) action();
}

export const undoStep = () => afterWhatComes(() => {
  endStroke();
  if (undo()) changed("Undone."); else say("Nothing to undo.");
});

export const redoStep = () => afterWhatComes(() => {
  endStroke();
  if (redo()) changed("Redone."); else say("Nothing to redo.");
});

// --- while an input is dragged, and what stays -----------------------------------------------------------------------

export function changeWhile(input, words, action) {  // as change(), but one step while an input is dragged through
  if (!picking || picking.input !== input) {
    endStroke();
    picking = {input, step: {isNew: true}};
  }
  changeIn(picking.step, words, action);
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

export function beginStroke(p, isStraight = false) {
  clearCorners();
  stroke = {before: snapshot(), tool: brush.tool, points: [p], straight: null};
  if (isBroad(brush.tool) && isStraight) drawStraight(lastEnd && lastEnd.face === face ? lastEnd.p : p, p);
  else if (isBroad(brush.tool)) dab(p);  // other tools act at the end: see cancelStroke
  show();
}

export function continueStroke(points, isStraight = false) {
  if (!stroke) return;
  const last = stroke.points.at(-1);
  stroke.points.push(...points);
  if (stroke.tool === "lasso") return setOutline(stroke.points);
  if (!isBroad(stroke.tool)) return;
  if (isStraight) drawStraight(last, points.at(-1));
  else {
    stroke.straight = null;
    [last, ...points].reduce((from, to) => { line(from, to); return to; });
  }
  show();
}

function drawStraight(from, to) {  // in place of the one that Shift drew before
  stroke.straight ||= {from, grid: doc.grid.slice()};
  setGrid(stroke.straight.grid.slice());
  dab(stroke.straight.from);
  line(stroke.straight.from, to);
}

// Also where it is cut short: what changes the edit meanwhile comes after it, and undo takes it first.
export function endStroke() {
  endPicking();
  clearCorners();
  if (!stroke) return;
  const {before, tool, points} = stroke;
  stroke = null;
  if (tool === "lasso") return fillCorners(points);
  if (!isBroad(tool)) return paintAt(tool === "fill" ? points[0] : points.at(-1), false, tool);
  lastEnd = {face, p: points.at(-1)};
  finish(before, "Painted " + paintName() + ".");
}

export function cancelStroke() {  // a second finger came, so it was none
  clearCorners();
  if (!stroke) return;
  setGrid(stroke.before.doc.grid);
  stroke = null;
  show();
  refresh();  // a picture with a part of it may be asked for already
}

export function paintAt(p, isStraight = false, tool = brush.tool) {  // a whole stroke at one place
  if (tool === "eyedropper") return takeColor(p);
  const before = snapshot();
  if (tool === "fill") {
    if (isInside(p)) fill(p);
    return finish(before, "Filled with " + paintName() + ".");
  }
  dab(p);
  if (isStraight && lastEnd && lastEnd.face === face) line(lastEnd.p, p);
  lastEnd = {face, p};
  finish(before, "Painted " + paintName() + ".");
}

function takeColor(p) {  // of the photograph, for the region that is chosen
  const name = about.words[brush.region];
  if (!brush.region) return say("The background has no colour: choose a region first.");
  if (!isInside(p)) return;
  const color = photoColor(p);
  change("Colour of " + name + ": " + color + ".", () => setColor(brush.region - 1, color));
}

// --- the lasso's corners, by keys ------------------------------------------------------------------------------------

export function addCorner(p) {
  corners.push(p);
  setOutline(corners);
  say("Corner " + corners.length + " of the lasso. Enter fills it.");
}

export function closeCorners() {
  if (corners.length < 3) return say("A lasso needs three corners: Space sets one.");
  const points = corners;
  clearCorners();
  fillCorners(points);
}

export function clearCorners() {
  corners = [];
  setOutline(corners);
}

function fillCorners(points) {
  const before = snapshot();
  fillOutline(points);
  finish(before, "Filled with " + paintName() + ".");
}

function finish(before, words) {
  if (before.doc.grid.every((value, i) => value === doc.grid[i])) return show();
  pushUndo(before);
  changed(words);
}
