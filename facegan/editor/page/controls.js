// The brush as the controls set it, and what the controls show of the edit.

import {about, wordOf} from "./about.js";
import {brush} from "./brush.js";
import {canRedo, canUndo, colorOf, doc, face, nameOf} from "./edit.js";
import {at, say} from "./elements.js";
import {draw} from "./surface.js";

export function setTool(name) {
  brush.tool = at("canvas").dataset.tool = name;
  markPressed("tool", name);
  say(name[0].toUpperCase() + name.slice(1) + ".");
  draw();
  dispatchEvent(new Event("tool"));
}

function markPressed(kind, value) {  // of the buttons of a kind, the one with this value
  for (const button of document.querySelectorAll("button[data-" + kind + "]")) {
    button.ariaPressed = button.dataset[kind] === value;
  }
}

export function setRegion(number) {
  brush.region = number;
  if (["eraser", "hand", "shape"].includes(brush.tool)) setTool("brush");
  markPressed("region", String(number));
  const isMissing = face && number && !face.has[number - 1] && !doc.colors[number - 1];
  say("Painting " + about.words[number] + (isMissing ? ". The photo has none: choose its colour." : "."));
}

export function setSize(value) {
  brush.size = Math.min(64, Math.max(1, Math.round(value)));
  at("size").value = at("size-out").textContent = brush.size;
  draw();
}

export function showEdit(picking) {  // picking: the colour input that is being dragged through, or null
  at("undo").disabled = !canUndo();
  at("redo").disabled = !canRedo();
  const borrowed = [];
  if (doc.map) borrowed.push("the map of " + nameOf(doc.map));
  if (doc.identity) borrowed.push("the identity of " + nameOf(doc.identity));
  for (const [region, {from, strength}] of Object.entries(doc.styles)) {
    const share = about.missingStyles ? "which this run cannot paint" : Math.round(strength * 100) + " %";
    borrowed.push("the style of " + wordOf(region) + " of " + nameOf(from) + " (" + share + ")");
  }
  at("borrowed").textContent = borrowed.length ? "Borrowed: " + borrowed.join(", ") : "";
  for (const input of document.querySelectorAll("#palette input")) {
    const i = +input.dataset.color;
    if (input !== picking) input.value = colorOf(i);
    input.nextElementSibling.hidden = doc.colors[i] === null;
  }
}
