// The edit: the open face, what is painted on its map, what is borrowed for it, and undo. All of it changes here alone.

import {about} from "./about.js";
import {OWN, pack, UNPAINTED, unpack} from "./grid.js";

const MOST_UNDO = 80;

export let face;         // {name, own: the regions of its map, colors, has: whether it has each region, photo}
export let under;        // Uint8Array: the regions of the map under the paint, the face's own or a borrowed one
export let doc;          // {face, map, grid, colors, identity, styles}: names of faces, a Uint8Array, colours or nulls,
                         // and region -> {from: name, strength: 0..1}
export let keep = true;  // whether the rest of the photograph stays
export let sliders = null;  // what the shape sliders made of the map, as shaping.js has it: undo brings it along
let earlier = [], later = [];  // states to undo and to redo to
let undone = [];           // what redo had before the newest step

// --- what it shows ---------------------------------------------------------------------------------------------------

export const shown = i => doc.grid[i] < OWN ? doc.grid[i] : doc.grid[i] === OWN ? face.own[i] : under[i];

export const colorOf = i => doc.colors[i] || face.colors[i];

export const nameOf = name => /^\d+$/.test(name) ? "face " + name : "your picture";

export const isEdited = () => doc.map || doc.identity || doc.colors.some(x => x) || Object.keys(doc.styles).length ||
  doc.grid.some(x => x !== UNPAINTED);

const packed = value => ({...value, grid: pack(value.grid), colors: [...value.colors]});

const unpacked = kept => ({face: kept.face, map: kept.map, grid: unpack(kept.grid, about.size),
                           colors: [...kept.colors], identity: kept.identity, styles: {...kept.styles}});

export const entry = () => packed(doc);  // as the browser keeps it

// Without what the run here cannot paint, as an edit may have been made with another run.
export const paintable = edit => about.missingStyles ? {...edit, styles: {}} : edit;

export const request = () => paintable({...entry(), keep});  // as the server is asked

export function needFace() {
  if (!face) throw new Error("No face is open: open one first, or upload your photo.");
}

// --- undo ------------------------------------------------------------------------------------------------------------

export const snapshot = () => ({under, sliders, doc: {...doc, grid: doc.grid.slice(), colors: doc.colors.slice()}});

export function pushUndo(state) {
  earlier.push(state);
  if (earlier.length > MOST_UNDO) earlier.shift();
  undone = later;
  later = [];
}

export function dropEmptyStep() {  // whether the edit is as it was before the newest step, which so is none
  if (!earlier.length || !isAsIn(earlier.at(-1))) return false;
  earlier.pop();
  later = undone;
  undone = [];
  return true;
}

export function isAsIn(state) {  // whether the edit is that of a snapshot
  const rest = ({map, identity, colors, styles}) => JSON.stringify([map, identity, colors, styles]);
  return rest(state.doc) === rest(doc) && state.doc.grid.every((value, i) => value === doc.grid[i]);
}

export const canUndo = () => earlier.length > 0;
export const canRedo = () => later.length > 0;
export const undo = () => goBetween(earlier, later);
export const redo = () => goBetween(later, earlier);

export const history = () => ({  // what undo and redo go to, for a page that is reloaded
  edit: isEdited() ? entry() : null, face: face.name,
  earlier: earlier.map(state => packed(state.doc)), later: later.map(state => packed(state.doc)),
});

export function takeUpHistory(kept, maps) {  // maps: name of a borrowed map -> it, or null where it is gone
  const state = edit => ({under: edit.map && maps[edit.map] ? maps[edit.map].own : face.own, doc: unpacked(edit)});
  earlier = kept.earlier.map(state);
  later = kept.later.map(state);
}

function goBetween(from, to) {  // whether there was somewhere to go
  if (!from.length) return false;
  to.push(snapshot());
  ({under, sliders = null, doc} = from.pop());
  undone = [];
  return true;
}

// --- changes ---------------------------------------------------------------------------------------------------------

const blank = () => ({face: face.name, map: null, grid: new Uint8Array(about.size ** 2).fill(UNPAINTED),
                      colors: Array(about.names.length - 1).fill(null), identity: null, styles: {}});

export function openFace(newFace, kept, map) {  // kept: its edit, map: the one that this had borrowed; or null
  face = newFace;
  earlier = [];
  later = [];
  undone = [];
  sliders = null;
  doc = blank();
  under = face.own;
  if (kept) restore(kept, map);
}

export function restore(kept, map) {
  under = map ? map.own : face.own;
  doc = unpacked(kept);
}

export function startOver() {
  doc = blank();
  under = face.own;
}

export const put = (i, value) => { if (shown(i) !== value) doc.grid[i] = value; };  // a region over itself is no edit

export const setGrid = grid => { doc.grid = grid; };

export function mergeGrid(grid, base) {  // what grid changed of base; what was painted meanwhile stays
  grid.forEach((value, i) => { if (value !== base[i]) doc.grid[i] = value; });
}

export function borrowMap(name, own) {
  doc.map = name;
  under = own;
  doc.grid.fill(UNPAINTED);
}

export function returnMap(name, own) {  // a borrowed map that was gone is here again; whether the edit stands on it
  for (const state of [...earlier, ...later]) if (state.doc.map === name) state.under = own;
  if (doc.map !== name) return false;
  under = own;
  return true;
}

export function borrowColors(other) {
  doc.colors = doc.colors.map((color, i) => other.has[i] ? other.colors[i] : color);
}

export const setColor = (i, color) => { doc.colors[i] = color; };

export const borrowIdentity = name => { doc.identity = name; };

export function setStyle(region, style) {  // style: null for the photograph's own
  const {[region]: before, ...others} = doc.styles;
  doc.styles = style ? {...doc.styles, [region]: style} : others;
}

export const setSliders = value => { sliders = value; };

export const setKeep = value => { keep = value; };
