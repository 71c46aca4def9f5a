// What stays in this browser: a session, the edit of each face, the saved edits. It outlasts the page and the server.
// Other tabs write the same. An edit that one page writes over another's goes into the strip of saved edits first.

import {about} from "./about.js";

const MOST_EDITS = 30, MOST_SAVED = 24, MOST_HISTORY = 2e6;  // characters of the last, of some five million

export const FULL = "This browser keeps no more edits: download it.";

// all but the session is of one data folder, whose faces the names are of
const key = name => "facegan:" + (name === "session" ? "" : about.id + ":") + name;

export function recall(name, first = () => null) {  // first(): what is remembered from now on, where nothing was
  try {
    const text = localStorage.getItem(key(name));
    if (text !== null) return JSON.parse(text);
  } catch { /* no storage here, or somebody else's words in it */ }
  const value = first();
  if (value !== null && value !== undefined) remember(name, value);
  return value;
}

export function remember(name, value) {  // whether there was room
  try { localStorage.setItem(key(name), JSON.stringify(value)); return true; } catch { return false; }
}

export const session = () => recall("session", () => about && about.session) || "";

// --- the edit of each face -------------------------------------------------------------------------------------------

const lastContent = new Map();  // name of a face -> its edit as this page read or wrote it last
let line = null;                // what this page writes from opening a face on: a later edit contains the earlier

const contentOf = edit => edit ? JSON.stringify([edit.map, edit.grid, edit.colors, edit.identity, edit.styles || {}]) : null;

export const editOf = name => recall("edits", () => ({}))[name];

export function beginLine(name, edit) {  // a page opens a face with the edit that is kept of it, if any
  lastContent.set(name, contentOf(edit));
  line = Math.random().toString(36).slice(2);
}

// The edit of a face, or null; {fits, dropped: names whose edits went for it, overwritten: as of keepOverwritten()}.
export function keepEdit(name, entry) {
  const edits = recall("edits", () => ({})), before = contentOf(edits[name]), content = contentOf(entry);
  if (before === content) return {fits: true, dropped: [], overwritten: null};
  const isOthers = before !== null && before !== lastContent.get(name);
  const overwritten = isOthers ? keepOverwritten(edits[name]) : null;
  if (overwritten && !overwritten.fits) return {fits: false, dropped: [], overwritten: null};
  const answer = writeEdit(edits, name, entry);
  if (answer.fits) lastContent.set(name, content);
  return {...answer, overwritten};
}

function writeEdit(edits, name, entry) {
  if (entry) edits[name] = {...entry, line, time: Date.now()};
  else delete edits[name];
  const names = Object.keys(edits).sort((a, b) => edits[b].time - edits[a].time);
  const dropped = names.splice(MOST_EDITS);
  for (const oldest of dropped) delete edits[oldest];
  let fits = remember("edits", edits);
  while (!fits && names.length > 1) {
    dropped.push(names.pop());
    delete edits[dropped.at(-1)];
    fits = remember("edits", edits);
  }
  return {fits, dropped};
}

// Another tab has written: null if this page's edit of a face is still the one that is kept, else as of
// keepOverwritten(). That tab put it into the strip unless it had taken it up itself.
export function keepReplaced(name, entry) {
  if (contentOf(editOf(name)) === lastContent.get(name)) return null;
  return entry ? keepOverwritten({...entry, line, time: Date.now()}) : {fits: true, dropped: 0};
}

// --- what undo goes to, until this tab is closed ---------------------------------------------------------------------

export function keepHistory(kept) {  // as edit.js gives it; the states that are furthest away go where there is no room
  for (;;) {
    const text = JSON.stringify(kept), isEmpty = !kept.earlier.length && !kept.later.length;
    try {
      if (text.length <= MOST_HISTORY) return sessionStorage.setItem(key("history"), text);
    } catch { /* no room */ }
    if (isEmpty) return;
    for (const states of [kept.earlier, kept.later]) states.splice(0, Math.ceil(states.length / 2));
  }
}

export function takeHistory(name, edit) {  // once, and if it is of this edit of this face; else null
  try {
    const kept = JSON.parse(sessionStorage.getItem(key("history")));
    sessionStorage.removeItem(key("history"));
    return kept && kept.face === name && contentOf(kept.edit) === contentOf(edit) ? kept : null;
  } catch { return null; /* no storage here */ }
}

// --- saved edits -----------------------------------------------------------------------------------------------------

function keepOverwritten(edit) {  // an edit goes into the strip in place of an earlier one of its line; as saveEdit()
  const others = savedEdits().filter(saved => !saved.overwritten || saved.line !== edit.line);
  if (savedEdits().some(saved => saved.face === edit.face && contentOf(saved) === contentOf(edit))) {
    return {fits: true, dropped: 0};
  }
  return writeSaved([{...edit, overwritten: true}, ...others]);
}

export const hasOverwritten = name => savedEdits().some(saved => saved.overwritten && saved.face === name);

export const savedEdits = () => recall("saved", () => []);

export const saveEdit = entry => writeSaved([entry, ...savedEdits()]);

function writeSaved(all) {  // {fits, count: saved edits now, dropped: how many older ones went}
  const strip = all.slice(0, MOST_SAVED);
  let fits = remember("saved", strip);
  while (!fits && strip.length > 1) { strip.pop(); fits = remember("saved", strip); }
  return {fits, count: strip.length, dropped: all.length - strip.length};
}

export function forgetSaved(edit) {  // where it stood in the strip, which another tab may have changed since
  const all = savedEdits(), index = all.findIndex(saved => saved.time === edit.time && saved.face === edit.face);
  if (index >= 0) remember("saved", all.toSpliced(index, 1));
  return index;
}

export const putBackSaved = (edit, index) => writeSaved(savedEdits().toSpliced(index, 0, edit));
