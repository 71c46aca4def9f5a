// Requests to the server. The edit goes along with each one that needs it, so the server keeps none.

import {about} from "./about.js";
import {unpack} from "./grid.js";
import {session} from "./storage.js";

export async function ask(path, content, type) {  // content: what JSON can hold, or with a type anything
  const options = {headers: {"x-session": session()}};
  if (content !== undefined) {
    options.method = "POST";
    options.body = type ? content : JSON.stringify(content);
    options.headers["content-type"] = type || "application/json";
  }
  const answer = await fetch("editor/" + path, options).catch(markUnreachable);
  if (answer.ok) return answer;
  let sentence = null;
  try { sentence = (await answer.json()).error; } catch { /* no sentence came */ }
  throw Object.assign(new Error(sentence || "The server answered " + answer.status + "."), {status: answer.status});
}

function markUnreachable() {  // the browser's own words would be "Failed to fetch"
  throw Object.assign(new Error("The server does not answer: try again in a moment."), {unreachable: true});
}

// Whether it is about a face or a map that the server has no more.
export const isGone = error => error.status === 400 || error.status === 410;

const toBitmap = blob => createImageBitmap(blob, {colorSpaceConversion: "none"});

export const askPicture = async request => toBitmap(await (await ask("paint", request)).blob().catch(markUnreachable));

// The photograph of a face that askFace() gave.
export const photoOf = face => toBitmap(new Blob([Uint8Array.from(atob(face.photo), c => c.charCodeAt(0))]));

export async function askFace(name) {  // {name, own: its regions}, and of a face, not a map alone: colors, has, photo
  const answer = await (await ask("show/" + encodeURIComponent(name), {})).json();
  return {...answer, own: unpack(answer.regions, about.size)};
}

export async function askMapIfThere(name) {  // null when it is gone: the face opens, and its edit stays as it is
  try { return await askFace(name); } catch (error) { if (!isGone(error)) throw error; return null; }
}

// What the map depends on: it can be changed also while whose style or identity an edit has is gone.
const mapIn = request => ({...request, styles: {}, identity: null});

export async function askTransformed(request, shape, how) {  // {grid, box: of the shape before, or null}
  const answer = await (await ask("transform", {...mapIn(request), shape, ...how})).json();
  return {...answer, grid: unpack(answer.grid, about.size)};
}

export async function askAdjusted(request, amounts) {  // {grid}
  return {grid: unpack((await (await ask("adjust", {...mapIn(request), ...amounts})).json()).grid, about.size)};
}

export async function askRegion(request, region, from) {  // the edit's grid with another face's region
  return unpack((await (await ask("borrow", {...mapIn(request), region, from})).json()).grid, about.size);
}
