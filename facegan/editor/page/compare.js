// The original, the edit as it is and the saved edits of the face that is open, side by side at full size.

import {about} from "./about.js";
import {endStroke} from "./changes.js";
import {face, isEdited, nameOf, paintable, request} from "./edit.js";
import {at, make, makeButton, tellFailure} from "./elements.js";
import {restoreSaved, timeOf} from "./saved.js";
import {askPicture, photoOf} from "./server.js";
import {savedEdits} from "./storage.js";

export function prepareComparison() {
  at("comparison").style.setProperty("--full-size", about.size + "px");
  at("compare-saved").addEventListener("click", () => { if (face) showComparison(); });
  at("comparison-close").addEventListener("click", () => at("comparison").close());
  at("comparison").addEventListener("close", () => at("compared").replaceChildren());
}

async function showComparison() {
  endStroke();
  const open = face, now = request(), saved = savedEdits().filter(edit => edit.face === open.name);
  const items = [[item("Original"), () => photoOf(open)]];
  if (isEdited()) items.push([item("As it is now"), () => askPicture(now)]);
  for (const edit of saved) items.push([savedItem(edit), () => askPicture(paintable(edit))]);
  at("comparison-title").textContent = "Compare: " + nameOf(open.name);
  at("comparison-hint").textContent = saved.length ? "Hide what you do not want to compare." :
    "This face has no saved edits yet: those that you save stand here beside the original.";
  at("compared").replaceChildren(...items.map(([element]) => element));
  at("comparison").showModal();
  for (const [element, ask] of items) {  // one at a time, as the server paints for others too
    if (element.isConnected) await show(element, ask);
  }
}

async function show(element, ask) {
  try {
    element.querySelector("canvas").getContext("2d").drawImage(await ask(), 0, 0);
  } catch (error) {
    const words = error.unreachable ? "The server does not answer: close this and compare again." : error.message;
    element.append(make("p", {className: "trouble"}, words));
  }
}

function item(title) {
  const canvas = make("canvas", {width: about.size, height: about.size, role: "img", ariaLabel: title});
  return make("li", {}, canvas, make("p", {className: "caption"}, title));
}

function savedItem(saved) {
  const time = timeOf(saved), element = item("Saved " + time);
  const back = makeButton({ariaLabel: "Restore the edit of " + time}, "Restore");
  const hide = makeButton({ariaLabel: "Hide the edit of " + time}, "Hide");
  back.addEventListener("click", tellFailure(() => {
    at("comparison").close();
    return restoreSaved(saved);
  }));
  hide.addEventListener("click", () => {
    const next = element.nextElementSibling || at("comparison");
    element.remove();
    next.querySelector("button").focus();
  });
  element.append(back, hide);
  return element;
}
