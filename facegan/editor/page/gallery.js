// The faces of the data folder, some at a time, before them one's own photographs, and what a click on one takes.

import {about} from "./about.js";
import {at, make, makeButton, say, tellFailure} from "./elements.js";
import {borrow, open} from "./faces.js";
import {ask} from "./server.js";

const OPEN = "photo, to edit it";

let taking = OPEN;
let gallery = null;  // {numbers, previous, next, place, count}, as Answers.faces() in facegan/editor/answers.py

export function listenToGallery() {
  for (const what of [OPEN, "whole map", ...about.names.slice(1), "colours", "identity"]) {
    const radio = make("input", {type: "radio", name: "taking", checked: what === taking, autocomplete: "off"});
    radio.addEventListener("change", () => {
      taking = what;
      say(tellTaking());
    });
    at("taking").append(make("label", {}, radio, what));
  }
  tellTaking();
  at("previous-faces").addEventListener("click", tellFailure(() => gallery && showFaces(gallery.previous)));
  at("next-faces").addEventListener("click", tellFailure(() => gallery && showFaces(gallery.next)));
  at("go-to").addEventListener("submit", event => {
    event.preventDefault();
    goTo(at("go-to-number").valueAsNumber);
  });
}

function tellTaking() {  // what a click on a face does, which stands over the faces too
  const words = "A click on a face " + (taking === OPEN ? "opens it." : "borrows its " + taking + ".");
  at("taking-words").textContent = words;
  return words;
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
  button.addEventListener("click", tellFailure(() => taking === OPEN ? open(name) : borrow(taking, name)));
  return button;
}
