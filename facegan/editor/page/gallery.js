// The faces of the data folder, some at a time, before them one's own photographs, and what a click on one takes.

import {about, wordOf} from "./about.js";
import {at, make, makeButton, say, tellFailure} from "./elements.js";
import {borrow, borrowStyle, open} from "./faces.js";
import {ask} from "./server.js";
import {styleRegion, styleStrength} from "./style.js";

const OPEN = "photo, to edit it", STYLE = "style";

let taking = OPEN;
let gallery = null;  // {numbers, previous, next, place, count}, as Answers.faces() in facegan/editor/answers.py

export function listenToGallery() {
  const styles = about.missingStyles ? [] : [STYLE];
  for (const what of [OPEN, "whole map", ...about.names.slice(1), "colours", "identity", ...styles]) {
    const radio = make("input", {type: "radio", name: "taking", checked: what === taking, autocomplete: "off"});
    radio.addEventListener("change", () => {
      taking = what;
      say(tellTaking());
    });
    at("taking").append(make("label", {}, radio, wordOf(what)));
  }
  tellTaking();
  at("style-region").addEventListener("change", takeStyles);
  at("previous-faces").addEventListener("click", tellFailure(() => gallery && showFaces(gallery.previous)));
  at("next-faces").addEventListener("click", tellFailure(() => gallery && showFaces(gallery.next)));
  at("go-to").addEventListener("submit", event => {
    event.preventDefault();
    goTo(at("go-to-number").valueAsNumber);
  });
}

function tellTaking() {  // what a click on a face does, which stands over the faces too
  const what = taking === STYLE ? "style of " + wordOf(styleRegion()) : wordOf(taking);
  const words = "A click on a face " + (taking === OPEN ? "opens it." : "borrows its " + what + ".");
  at("taking-words").textContent = words;
  return words;
}

function takeStyles() {  // who chooses a region for a style wants to borrow one
  taking = STYLE;
  at("taking").querySelector("label:last-of-type input").checked = true;
  say(tellTaking());
}

const goTo = tellFailure(async number => {
  if (!Number.isNaN(number)) await showFaces(Math.min(999999999, Math.max(0, Math.round(number))));
});

export async function showFaces(start) {
  gallery = await (await ask("faces?start=" + start)).json();
  at("faces").replaceChildren(...gallery.numbers.map(faceButton));
  const from = gallery.place + 1, to = gallery.place + gallery.numbers.length;
  at("place").textContent = "Faces " + from + " to " + to + " of " + gallery.count;
}

export async function showOwnFaces() {
  const own = await (await ask("own", {})).json();
  at("own-faces").replaceChildren(...own.map(({name, picture}, i) => {
    const image = make("img", {src: "data:image/jpeg;base64," + picture, alt: "your photo"});
    return takeButton(name, image, " " + (own.length - i));
  }));
  at("yours").hidden = !own.length;
}

const faceButton = k =>
  takeButton(String(k), make("img", {src: "editor/thumbnail/" + k, alt: "face", loading: "lazy"}), " " + k);

function takeButton(name, ...children) {
  const button = makeButton({}, ...children);
  button.addEventListener("click", tellFailure(() => take(name)));
  return button;
}

function take(name) {
  if (taking === OPEN) return open(name);
  return taking === STYLE ? borrowStyle(styleRegion(), styleStrength(), name) : borrow(taking, name);
}
