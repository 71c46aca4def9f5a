// What stays in this browser: a session, the edit of each face, the saved edits. It outlasts the page and the server.

import {about} from "./about.js";

const MOST_EDITS = 30, MOST_SAVED = 24;

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

export const editOf = name => recall("edits", () => ({}))[name];

export function keepEdit(name, entry) {  // the edit of a face, or null; {fits, dropped: names whose edits went for it}
  const edits = recall("edits", () => ({}));
  if (entry) edits[name] = {...entry, time: Date.now()};
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

export const savedEdits = () => recall("saved", () => []);

export function saveEdit(entry) {  // {fits, count: saved edits now, dropped: how many older ones went}
  const all = [entry, ...savedEdits()], strip = all.slice(0, MOST_SAVED);
  let fits = remember("saved", strip);
  while (!fits && strip.length > 1) { strip.pop(); fits = remember("saved", strip); }
  return {fits, count: strip.length, dropped: all.length - strip.length};
}

export const forgetSaved = index => remember("saved", savedEdits().filter((_, i) => i !== index));
