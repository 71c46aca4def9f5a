// A grid of regions, and its text: runs of a value and a length of two bytes, in base64, as in facegan/editor/wire.py.

export const UNPAINTED = 255, OWN = 254;  // as in facegan/editor/editing.py

export function pack(grid) {
  const bytes = [];
  for (let i = 0; i < grid.length;) {
    let n = 1;
    while (i + n < grid.length && grid[i + n] === grid[i] && n < 65535) n++;
    bytes.push(grid[i], n & 255, n >> 8);
    i += n;
  }
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.slice(i, i + 8192));
  return btoa(text);
}

export function unpack(text, size) {
  const bytes = atob(text), grid = new Uint8Array(size * size);
  for (let i = 0, to = 0; i < bytes.length; i += 3) {
    const n = bytes.charCodeAt(i + 1) + 256 * bytes.charCodeAt(i + 2);
    grid.fill(bytes.charCodeAt(i), to, to += n);
  }
  return grid;
}
