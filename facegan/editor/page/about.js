// What the server says of itself and of its data folder, once main.js has asked: {id, session, title, size, first, any,
// names, palette, maxBytes, maxEdit, missingParser, missingStyles}, as Answers.about() in facegan/editor/answers.py.

export let about;

export const setAbout = value => { about = value; };
