// The style of a region, borrowed from another face: which region's, how strongly, and the photograph's own again.

import {about, wordOf} from "./about.js";
import {change, changeWhile, endPicking} from "./changes.js";
import {doc, face, nameOf, setStyle} from "./edit.js";
import {at, make} from "./elements.js";

export function listenToStyles() {
  at("style-hint").textContent = about.missingStyles && "No styles to borrow here: " + about.missingStyles;
  at("style").hidden = about.missingStyles !== "";
  at("style-region").append(...about.names.slice(1).map(value => make("option", {value}, wordOf(value))));
  at("style-region").value = "hair";
  at("style-region").addEventListener("change", () => { endPicking(); showStyle(); });
  at("style-strength").addEventListener("input", slide);
  at("style-strength").addEventListener("change", endPicking);
  at("style-back").addEventListener("click", () => {
    change("The photo's own style of " + wordOf(styleRegion()) + ".", () => setStyle(styleRegion(), null));
  });
  addEventListener("edit", showStyle);
  showStyle();
}

export const styleRegion = () => at("style-region").value;

export const styleStrength = () => at("style-strength").valueAsNumber / 100;

const borrowed = () => face && doc.styles[styleRegion()];

function showStyle() {  // the slider is of the style that is borrowed, or of the next one
  const style = borrowed();
  if (style) at("style-strength").value = Math.round(style.strength * 100);
  at("style-out").textContent = at("style-strength").value + " %";
  at("style-back").disabled = !style;
  at("style-from").textContent = style ? "It is that of " + nameOf(style.from) + "." : "";
}

function slide() {
  const style = borrowed(), region = styleRegion();
  if (!style) return showStyle();
  const words = "Style of " + wordOf(region) + ": " + at("style-strength").value + " %.";
  changeWhile(at("style-strength"), words, () => setStyle(region, {...style, strength: styleStrength()}));
}
