// What the server says of itself and of its data folder, once main.js has asked: {id, session, title, size, first, any,
// names, words, palette, kind, maxBytes, maxEdit, missingParser, missingStyles}, as Answers.about() in
// facegan/editor/answers.py. A region's number is its place in names: those of the seven regions, or of the 18 parts.

export let about;

export const setAbout = value => { about = value; };

// The numbers of the regions in the palette's order: the background comes last.
export const regionNumbers = () => [...about.names.keys()].slice(1).concat(0);

// The digit that chooses a region; "" where there are more regions than digits.
export const keyOf = number => about.names.length < 10 ? number || about.names.length : number < 10 && number || "";

// A region's name as the page shows it; other words stay as they are.
export const wordOf = name => about.words[about.names.indexOf(name)] || name;
