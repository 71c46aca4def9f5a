// Files that come and go: one's own photograph or label map, chosen, dropped or pasted, and what is downloaded.

import {about} from "./about.js";
import {takeTurn} from "./changes.js";
import {face, needFace, request} from "./edit.js";
import {at, make, say, tellFailure} from "./elements.js";
import {open, takeOwnMap} from "./faces.js";
import {showOwnFaces} from "./gallery.js";
import {ask, askFace} from "./server.js";

export function listenToFiles() {
  at("own-photo").disabled = at("own-aligned").disabled = !takesPhotos();
  if (!takesPhotos()) at("own-photo-hint").textContent = "Not yet: " + about.missingParser + " Then reload this page.";
  at("own-photo").addEventListener("change", tellFailure(event => takeChosen(event.target, "photo")));
  at("own-map").addEventListener("change", tellFailure(event => takeChosen(event.target, "map")));
  listenToDrops();
  for (const button of document.querySelectorAll("button[data-download]")) {
    button.addEventListener("click", tellFailure(() => face && download(button.dataset.download)));
  }
}

const takesPhotos = () => about.missingParser === "";

function listenToDrops() {  // a drop on a field, and a paste into one, is the field's own
  const isField = target => target instanceof Element && target.closest("input[type=file], input[type=number]");
  document.addEventListener("dragstart", event => event.preventDefault());  // the page's own pictures stay
  document.addEventListener("dragover", event => { if (!isField(event.target)) event.preventDefault(); });
  document.addEventListener("drop", tellFailure(event => {
    if (isField(event.target)) return;
    event.preventDefault();  // the browser would open the file in place of the page
    return takePhoto(event.dataTransfer.files);
  }));
  document.addEventListener("paste", tellFailure(event => {
    if (!isField(event.target)) return takePhoto(event.clipboardData.files);
  }));
}

function takePhoto(files) {
  if (!files.length) throw new Error("That is no picture: drop or paste a photograph, JPEG, PNG or WebP.");
  if (files.length > 1) throw new Error("Those are " + files.length + " files: drop or paste one photograph.");
  if (!files[0].type.startsWith("image/")) {
    throw new Error(files[0].name + " is no picture by its name: drop or paste a photograph, JPEG, PNG or WebP.");
  }
  if (!takesPhotos()) throw new Error("Not yet: " + about.missingParser);
  return takeFile(files[0], "photo");
}

async function takeChosen(input, kind) {
  const file = input.files[0];
  input.value = "";
  if (file) await takeFile(file, kind);
}

async function takeFile(file, kind) {
  if (kind === "map") needFace();
  if (file.size > about.maxBytes) {
    throw new Error(file.name + " is larger than " + about.maxBytes / 1e6 + " MB: save it smaller.");
  }
  say("Reading " + file.name + " ...");
  try {
    await upload(file, kind);
  } catch (error) { say("Not taken."); throw error; }
}

async function upload(file, kind) {
  const isNewest = takeTurn(), late = file.name + " came after you had gone on: upload it again.";
  const query = "?name=" + encodeURIComponent(file.name) + "&aligned=" + at("own-aligned").checked;
  const {name, note} = await (await ask("upload/" + kind + query, file, "application/octet-stream")).json();
  if (kind === "photo") await showOwnFaces();
  if (!isNewest()) throw new Error(late);
  if (kind === "photo") {
    if (!await open(name)) throw new Error(late);
    return say("Your photo" + (note ? ", " + note : "") + ": paint on its map, or borrow from another face.");
  }
  const {own} = await askFace(name);
  if (!isNewest()) throw new Error(late);
  takeOwnMap(name, own);
}

async function download(what) {
  const answer = await ask("download/" + what, request()), name = answer.headers.get("x-name");
  const url = URL.createObjectURL(await answer.blob());
  make("a", {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say("Downloaded " + name + ".");
}
