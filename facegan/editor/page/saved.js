// The strip of saved edits.

import {change, endStroke, keepRest, takeTurn, tellOtherTab} from "./changes.js";
import {face, keep, nameOf, request, restore} from "./edit.js";
import {at, make, makeButton, say, tellFailure, warn} from "./elements.js";
import {open} from "./faces.js";
import {isBusy, thumbnail} from "./result.js";
import {askFace} from "./server.js";
import {forgetSaved, FULL, putBackSaved, saveEdit, savedEdits} from "./storage.js";

export function prepareStrip() {
  drawStrip();
  addEventListener("strip", drawStrip);  // an edit of another tab went into it
  addEventListener("storage", () => { tellOtherTab(); drawStrip(); });
}

export async function save() {
  endStroke();
  const asked = request(), time = Date.now();
  if (isBusy()) say("Saving ...");
  const {fits, count, dropped} = saveEdit({...asked, time, picture: await thumbnail(asked)});
  drawStrip();
  if (!fits) { say("Not saved."); return warn(FULL); }
  say("Saved. " + count + " in the strip" + (dropped ? "; no more fit, so " + dropped + " older went." : "."));
}

function drawStrip() {
  at("strip").replaceChildren(...savedEdits().map(stripItem));
}

export const timeOf = saved =>
  new Date(saved.time).toLocaleString() + (saved.overwritten ? ", from another tab" : "");

function stripItem(saved) {
  const title = nameOf(saved.face) + ", " + timeOf(saved);
  const words = make("span", {className: "no-picture"}, "edit from another tab");
  const picture = saved.picture ? make("img", {src: saved.picture, alt: ""}) : words;
  const back = makeButton({className: "restore", title, ariaLabel: "Restore the edit of " + title}, picture);
  const forget = makeButton({className: "forget", ariaLabel: "Forget the edit of " + title}, "×");
  back.addEventListener("click", tellFailure(() => restoreSaved(saved)));
  forget.addEventListener("click", () => forgetForNow(saved));
  return make("li", {}, back, forget);
}

function forgetForNow(saved) {
  const index = forgetSaved(saved);
  drawStrip();
  say("Forgotten.");
  if (index < 0) return;
  at("put-back").hidden = false;
  at("put-back").focus();
  at("put-back").onclick = () => {
    const {fits} = putBackSaved(saved, index);
    drawStrip();
    say(fits ? "It is back." : "There is no room for it any more.");
    at("save").focus();
  };
}

export async function restoreSaved(saved) {  // whether it is: something newer may have been done meanwhile
  const isNewest = takeTurn(), map = saved.map ? await askFace(saved.map) : null;
  if (!isNewest()) return false;
  if ((!face || saved.face !== face.name) && !await open(saved.face)) return false;  // with its edit, for undo
  change("Restored.", () => restore(saved, map));
  const kept = saved.keep !== false;
  if (kept !== keep) keepRest(kept);
  return true;
}
