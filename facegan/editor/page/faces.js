// Open a face, and borrow from another.

import {about, wordOf} from "./about.js";
import {changed, change, endStroke, takeTurn, waitFor} from "./changes.js";
import {
  borrowColors, borrowIdentity, borrowMap, doc, isEdited, mergeGrid, nameOf, needFace, openFace, request, returnMap,
  setStyle, shown, takeUpHistory,
} from "./edit.js";
import {at} from "./elements.js";
import {stopPan} from "./pointer.js";
import {showOriginal} from "./result.js";
import {askFace, askMapIfThere, askRegion, photoOf} from "./server.js";
import {beginLine, editOf, hasOverwritten, takeHistory} from "./storage.js";
import {showPhoto} from "./surface.js";

export async function open(name) {  // whether it is open: something newer may have been done meanwhile
  const isNewest = takeTurn(), face = await askFace(name);
  if (!face.photo) throw new Error("That is a map alone: it has no photograph.");
  const picture = await photoOf(face);
  const kept = editOf(name), map = kept && kept.map ? await askMapIfThere(kept.map) : null;
  const history = takeHistory(name, kept), maps = history ? await askMaps([...history.earlier, ...history.later]) : {};
  if (!isNewest()) return false;
  endStroke();
  stopPan();
  openFace(face, kept, map);
  at("take-photograph").hidden = !face.hasOriginal;
  if (history) takeUpHistory(history, maps);
  beginLine(name, kept);
  showPhoto(picture);
  showOriginal(picture);
  const opened = nameOf(name), words = opened[0].toUpperCase() + opened.slice(1);
  const rest = isEdited() ? ", with your edit as you left it" : ": paint on its map, or borrow from another face";
  const other = hasOverwritten(name) ? "; the one from another tab is among the saved edits." : ".";
  changed(words + rest + other);
  return true;
}

async function askMaps(edits) {  // name of each map that they borrow -> it, or null
  const maps = {};
  for (const {map} of edits) if (map && !(map in maps)) maps[map] = await askMapIfThere(map);
  return maps;
}

export const borrow = (what, name) => waitFor(borrowNow(what, name));

async function borrowNow(what, name) {  // what: a region's name, "whole map", "colours" or "identity"
  needFace();
  const of = " of " + nameOf(name) + ".";
  if (what === "identity") return change("Identity" + of, () => borrowIdentity(name));
  const isNewest = takeTurn();
  if (what === "whole map" || what === "colours") {
    const other = await askFace(name);
    if (!isNewest()) return;
    if (what === "whole map") change("Map" + of, () => borrowMap(name, other.own));
    else change("Colours" + of, () => borrowColors(other));
    return;
  }
  const base = doc.grid.slice(), grid = await askRegion(request(), what, name);
  if (isNewest()) change(wordOf(what) + of, () => mergeGrid(grid, base));
}

export const borrowStyle = (region, strength, name) => waitFor(borrowStyleNow(region, strength, name));

async function borrowStyleNow(region, strength, name) {  // strength: 0..1
  needFace();
  const number = about.names.indexOf(region);
  if (!doc.grid.some((_, i) => shown(i) === number)) {
    throw new Error("This map shows no " + wordOf(region) + ": paint or borrow some first.");
  }
  const isNewest = takeTurn(), other = await askFace(name);
  if (!isNewest()) return;
  if (!other.has[number - 1]) {
    throw new Error("There is no " + wordOf(region) + " in " + nameOf(name) + ": take another.");
  }
  const words = "Style of " + wordOf(region) + " of " + nameOf(name);
  const share = strength < 1 ? ", at " + Math.round(strength * 100) + " %" : "";
  change(words + share + ".", () => setStyle(region, {from: name, strength}));
}

export function takeOwnMap(name, own) {  // it may have been gone, and what was painted over it goes on
  endStroke();
  if (returnMap(name, own)) changed("Your map is here again, and the edit goes on.");
  else change("Your map.", () => borrowMap(name, own));
}
