// The list of regions: choose one to paint with, and its colour.

import {about, keyOf, regionNumbers} from "./about.js";
import {change, changeWhile, endPicking} from "./changes.js";
import {setRegion} from "./controls.js";
import {face, setColor} from "./edit.js";
import {at, make, makeButton} from "./elements.js";

export function buildPalette() {
  const numbers = regionNumbers();
  for (const number of numbers) {
    const controls = number ? colorControls(number - 1, about.words[number]) : [];
    at("palette").append(make("li", {}, regionButton(number), ...controls));
  }
  at("palette").append(make("li", {className: "note"}, about.kind));
  at("palette").classList.toggle("many", numbers.length > 9);
  at("region-keys").textContent = numbers.length > 9 ? "1 ... 9" : "1 ... 7, 8";
  const painted = numbers.length > 9 ? "one of the first parts" : "a region, background";
  at("region-keys-hint").textContent = "paint " + painted;
}

function regionButton(number) {
  const key = keyOf(number), swatch = make("span", {className: "swatch"});
  swatch.style.background = about.palette[number];
  const button = makeButton({className: "region"}, swatch, about.words[number], make("kbd", {ariaHidden: "true"}, key));
  button.dataset.region = number;
  if (key) button.setAttribute("aria-keyshortcuts", key);
  button.addEventListener("click", () => setRegion(number));
  return button;
}

function colorControls(i, name) {  // of region i, counted without the background
  const input = make("input", {type: "color", ariaLabel: "Colour of " + name, autocomplete: "off"});
  input.dataset.color = i;
  const follows = name === "nose" ? ", and follows the skin until one is chosen" : "";
  input.title = "Colour of " + name + "; begins with the photo's mean" + follows;
  input.addEventListener("input", () => {
    if (face) changeWhile(input, "Colour of " + name + ".", () => setColor(i, input.value));
  });
  input.addEventListener("change", endPicking);
  const title = "The photo's own colour of " + name;
  const back = makeButton({className: "back", hidden: true, title, ariaLabel: title}, "↺");
  back.addEventListener("click", () => change(title + ".", () => setColor(i, null)));
  return [input, back];
}
