// The result: asked of the server after each change, shown beside the map, wiped to the original.

import {about} from "./about.js";
import {doc, face, request} from "./edit.js";
import {at, makeSheet, warn} from "./elements.js";
import {askPicture, isGone} from "./server.js";

export const times = [];       // milliseconds from the end of each change to its picture
let newest = 0, changedAt = 0; // number and time of the newest change
let isAsking = false, isInTrouble = false;
let original, edited;          // sheets of S x S

export function prepareResult() {
  original = makeSheet(about.size);
  edited = makeSheet(about.size);
  for (const canvas of [at("result"), at("mini")]) canvas.width = canvas.height = about.size;
  // a small copy in the header is in sight while most of the result is not: on a phone that paints, and at the gallery
  const showMini = entries => at("mini").classList.toggle("on", entries.at(-1).intersectionRatio < .5);
  new IntersectionObserver(showMini, {threshold: .5}).observe(at("result"));
  at("mini").addEventListener("click", () => at("result").scrollIntoView({block: "center"}));
  at("wipe").addEventListener("input", () => { if (face) drawResult(); });
  listenToDrag(at("result"));
}

function listenToDrag(canvas) {  // a click or a drag over the picture moves the line; a finger that scrolls does not
  let from = null, isDrag = false;
  const moveLine = event => {
    const box = canvas.getBoundingClientRect();
    at("wipe").value = (event.clientX - box.left) / box.width * 100;
    if (face) drawResult();
  };
  canvas.addEventListener("pointerdown", event => {
    if (event.button !== 0 || !event.isPrimary) return;
    from = event.clientX;
    isDrag = false;
    try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
  });
  canvas.addEventListener("pointermove", event => {
    if (from === null || !event.isPrimary) return;
    isDrag ||= Math.abs(event.clientX - from) > 3;
    if (isDrag) moveLine(event);
  });
  canvas.addEventListener("pointerup", event => {
    if (from !== null && event.isPrimary) moveLine(event);
    from = null;
  });
  canvas.addEventListener("pointercancel", () => { from = null; });
}

export const isBusy = () => isAsking;

export function showOriginal(picture) {  // both sheets are the photograph, until an edit's picture comes
  for (const sheet of [original, edited]) sheet.getContext("2d").drawImage(picture, 0, 0);
  at("wipe").value = 0;
  drawResult();
}

// One request at a time; when its answer comes and the edit has moved on, the newest state is sent, and none between.
export async function refresh() {
  newest++;
  changedAt = performance.now();
  if (isAsking) return;
  isAsking = true;
  at("busy").classList.add("on");
  for (let number = 0; number !== newest;) {
    number = newest;
    try {
      await showPicture(number);
      if (isInTrouble) warn("");
      isInTrouble = false;
    } catch (error) {
      isInTrouble = true;
      await tellTrouble(error);
    }
  }
  isAsking = false;
  at("busy").classList.remove("on");
}

async function showPicture(number) {
  const ofFace = face, since = changedAt, picture = await askPicture(request());
  if (ofFace !== face) return;
  edited.getContext("2d").drawImage(picture, 0, 0);
  drawResult();
  if (number === newest) times.push(performance.now() - since);
}

async function tellTrouble(error) {
  if (error.unreachable) {  // nobody there: the edit is safe here, so try again
    warn("The server does not answer. Your edit is kept in this browser; trying again ...");
    await new Promise(resolve => setTimeout(resolve, 2000));
    newest++;
    return;
  }
  const hasStyles = Object.keys(doc.styles).length > 0, hasSources = doc.map || doc.identity || hasStyles;
  const ways = "borrow another" + (hasStyles ? ", take the region's own style," : "") + " or start over";
  const wayOut = " To go on without it, " + ways + "; undo brings this edit back.";
  warn(error.message + (isGone(error) && hasSources ? wayOut : ""));
}

function drawResult() {
  const ctx = at("result").getContext("2d"), s = about.size, wipe = Math.round(at("wipe").value / 100 * s);
  ctx.drawImage(edited, 0, 0);
  if (wipe) ctx.drawImage(original, 0, 0, wipe, s, 0, 0, wipe, s);
  at("mini").getContext("2d").drawImage(at("result"), 0, 0);
  at("wipe-line").style.left = wipe / s * 100 + "%";
  at("wipe-line").style.display = wipe ? "block" : "none";
}

export async function thumbnail(of) {  // of a request, whose picture may still be on its way
  const last = shrink(edited);
  if (!isAsking) return last;
  try { return shrink(await askPicture(of)); } catch { return last; /* the edit counts */ }
}

function shrink(picture) {
  const small = makeSheet(96);
  small.getContext("2d").drawImage(picture, 0, 0, 96, 96);
  return small.toDataURL("image/jpeg", .8);
}
