// The strip of saved edits.

import {change, endStroke, keepRest, takeTurn} from "./changes.js";
import {face, keep, nameOf, request, restore} from "./edit.js";
import {at, make, makeButton, say, tellFailure, warn} from "./elements.js";
import {open} from "./faces.js";
import {isBusy, thumbnail} from "./result.js";
import {askFace} from "./server.js";
import {forgetSaved, FULL, saveEdit, savedEdits} from "./storage.js";

export async function save() {
  endStroke();
  const asked = request(), time = Date.now();
  if (isBusy()) say("Saving ...");
  const {fits, count, dropped} = saveEdit({...asked, time, picture: await thumbnail(asked)});
  drawStrip();
  if (!fits) { say("Not saved."); return warn(FULL); }
  say("Saved. " + count + " in the strip" + (dropped ? "; no more fit, so " + dropped + " older went." : "."));
}

export function drawStrip() {
  at("strip").replaceChildren(...savedEdits().map(stripItem));
}

function stripItem(saved, i) {
  const title = nameOf(saved.face) + ", " + new Date(saved.time).toLocaleString();
  const picture = make("img", {src: saved.picture, alt: ""});
  const back = makeButton({className: "restore", title, ariaLabel: "Restore the edit of " + title}, picture);
  const forget = makeButton({className: "forget", ariaLabel: "Forget the edit of " + title}, "×");
  back.addEventListener("click", tellFailure(() => restoreSaved(saved)));
  forget.addEventListener("click", () => { forgetSaved(i); drawStrip(); say("Forgotten."); });
  return make("li", {}, back, forget);
}

async function restoreSaved(saved) {
  const isNewest = takeTurn(), map = saved.map ? await askFace(saved.map) : null;
  if (!isNewest()) return;
  if ((!face || saved.face !== face.name) && !await open(saved.face)) return;  // with its present edit, for undo
  change("Restored.", () => restore(saved, map));
  const kept = saved.keep !== false;
  if (kept !== keep) keepRest(kept);
}
