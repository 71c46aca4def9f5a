// The list of regions: choose one to paint with, and its colour.

import {about} from "./about.js";
import {change, changeWhile, endPicking} from "./changes.js";
import {setRegion} from "./controls.js";
import {face, setColor} from "./edit.js";
import {at, make, makeButton} from "./elements.js";

export function buildPalette() {
  for (const number of [1, 2, 3, 4, 5, 6, 7, 0]) {
    const controls = number ? colorControls(number - 1, about.names[number]) : [];
    at("palette").append(make("li", {}, regionButton(number), ...controls));
  }
}

function regionButton(number) {
  const key = number || 8, swatch = make("span", {className: "swatch"});
  swatch.style.background = about.palette[number];
  const button = makeButton({className: "region"}, swatch, about.names[number], make("kbd", {ariaHidden: "true"}, key));
  button.dataset.region = number;
  button.setAttribute("aria-keyshortcuts", key);
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
