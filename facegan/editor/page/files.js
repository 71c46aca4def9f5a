// Files that come and go: one's own photograph or label map, or an edit, chosen, dropped or pasted; and what is
// downloaded.

import {about} from "./about.js";
import {takeTurn} from "./changes.js";
import {face, needFace, request} from "./edit.js";
import {at, make, say, tellFailure} from "./elements.js";
import {open, takeOwnMap} from "./faces.js";
import {showOwnFaces} from "./gallery.js";
import {restoreSaved} from "./saved.js";
import {ask, askFace} from "./server.js";

export function listenToFiles() {
  at("own-photo").disabled = at("own-aligned").disabled = !takesPhotos();
  if (!takesPhotos()) at("own-photo-hint").textContent = "Not yet: " + about.missingParser + " Then reload this page.";
  at("own-photo").addEventListener("change", tellFailure(event => takeChosen(event.target, "photo")));
  at("own-map").addEventListener("change", tellFailure(event => takeChosen(event.target, "map")));
  at("own-edit").addEventListener("change", tellFailure(event => takeChosen(event.target, "edit")));
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
    return takeDropped(event.dataTransfer.files);
  }));
  document.addEventListener("paste", tellFailure(event => {
    if (!isField(event.target)) return takeDropped(event.clipboardData.files);
  }));
}

const TAKEN = "drop or paste a photograph, JPEG, PNG or WebP, or the .json of an edit.";

function takeDropped(files) {
  at("comparison").close();  // it would cover what the page says
  if (!files.length) throw new Error("That is no file: " + TAKEN);
  if (files.length > 1) throw new Error("Those are " + files.length + " files: drop or paste one.");
  if (/\.json$/i.test(files[0].name)) return takeFile(files[0], "edit");
  if (!files[0].type.startsWith("image/")) throw new Error(files[0].name + " is no picture by its name: " + TAKEN);
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
  checkBytes(file, kind);
  say("Reading " + file.name + (kind === "photo" ? ", finding the face and its parts ..." : " ..."));
  try {
    await (kind === "edit" ? openEdit(file) : upload(file, kind));
  } catch (error) { say("Not taken."); throw error; }
}

function checkBytes(file, kind) {
  const isEdit = kind === "edit", most = isEdit ? about.maxEdit : about.maxBytes;
  const remedy = isEdit ? "choose the .json that this page gave." : "save it smaller.";
  if (file.size > most) throw new Error(file.name + " is larger than " + most / 1e6 + " MB: " + remedy);
}

const nameIn = file => "?name=" + encodeURIComponent(file.name);

async function openEdit(file) {
  const isNewest = takeTurn(), late = file.name + " came after you had gone on: open it again.";
  const edit = await (await ask("open" + nameIn(file), file, "application/octet-stream")).json();
  if (!isNewest() || !await restoreSaved(edit)) throw new Error(late);
  say("Opened " + file.name + ".");
}

async function upload(file, kind) {
  const isNewest = takeTurn(), late = file.name + " came after you had gone on: upload it again.";
  const query = nameIn(file) + "&aligned=" + at("own-aligned").checked;
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
  const stop = what === "photograph" ? tellProgress() : () => {};
  const answer = await ask("download/" + what, request()).finally(stop), name = answer.headers.get("x-name");
  const url = URL.createObjectURL(await answer.blob());
  make("a", {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say("Downloaded " + name + ".");
}

function tellProgress() {  // of a whole photograph, which takes up to minutes, until the returned function is called
  let isOver = false;
  const tell = async () => {
    const {words} = await (await ask("progress", {})).json();
    if (words && !isOver) say("Your whole photo: " + words + " ...");
  };
  const timer = setInterval(() => tell().catch(() => { /* the download itself says what is wrong */ }), 1000);
  say("Your whole photo: asked for ...");
  return () => { isOver = true; clearInterval(timer); };
}
