// Start the page. Imports run one way: this file; keyboard, palette, files, compare; saved; gallery; faces; style,
// pointer; shaping; changes; controls, result; surface; brush; edit; server; storage; grid, handles, rims, about, elements.

import {about, setAbout} from "./about.js";
import {change, keepRest, redoStep, undoStep} from "./changes.js";
import {prepareComparison} from "./compare.js";
import {setRegion, setSize, setTool} from "./controls.js";
import {doc, face, history, shown, startOver} from "./edit.js";
import {at, tellFailure, warn} from "./elements.js";
import {open} from "./faces.js";
import {listenToFiles} from "./files.js";
import {listenToGallery, showFaces, showOwnFaces} from "./gallery.js";
import {handles} from "./handles.js";
import {listenToKeys} from "./keyboard.js";
import {buildPalette} from "./palette.js";
import {listenToPointer} from "./pointer.js";
import {isBusy, prepareResult, times} from "./result.js";
import {prepareStrip, save} from "./saved.js";
import {ask} from "./server.js";
import {listenToShapes} from "./shaping.js";
import {keepHistory, recall, session} from "./storage.js";
import {listenToStyles} from "./style.js";
import {moveView, prepareSurface, setOpacity, view, zoom} from "./surface.js";

async function start() {
  setAbout(await (await ask("about")).json());
  session();  // from now on this browser has one
  at("title").textContent = about.title;
  prepareSurface();
  prepareResult();
  buildPalette();
  listenToControls();
  listenToPointer();
  listenToShapes();
  listenToKeys();
  listenToFiles();
  listenToStyles();
  listenToGallery();
  setRegion(about.names.indexOf("hair"));
  setSize(Math.max(4, about.size / 20));
  prepareStrip();
  prepareComparison();
  addEventListener("pagehide", () => { if (face) keepHistory(history()); });
  showOwnFaces().catch(error => warn(error.message));
  await openFirst([about.first === null ? recall("last") : about.first, about.any].filter(name => name !== null));
}

async function openFirst(names) {  // the first of them that opens
  await showFaces(/^\d+$/.test(names[0]) ? names[0] : about.any);
  for (const name of names) {
    try { await open(String(name)); break; } catch (error) { warn(error.message); }
  }
}

function listenToControls() {
  for (const button of document.querySelectorAll("button[data-tool]")) {
    button.addEventListener("click", () => setTool(button.dataset.tool));
  }
  const clicks = {
    undo: undoStep, redo: redoStep, save,
    "zoom-in": () => zoom(1.5), "zoom-out": () => zoom(1 / 1.5), "zoom-fit": () => moveView(1, 0, 0),
    reset: () => change("As the photo is.", startOver),
  };
  for (const [id, action] of Object.entries(clicks)) at(id).addEventListener("click", () => { if (face) action(); });
  at("size").addEventListener("input", event => setSize(+event.target.value));
  at("opacity").addEventListener("input", event => setOpacity(event.target.value / 100));
  at("keep").addEventListener("change", event => keepRest(event.target.checked));
}

window.faceEditor = {  // for tests and measurements
  times,
  state: () => ({
    doc: {...doc, grid: Array.from(doc.grid)}, shown: Array.from(doc.grid, (_, i) => shown(i)),
    busy: isBusy(), view, handles, face: face.name,
  }),
};
tellFailure(start)();
