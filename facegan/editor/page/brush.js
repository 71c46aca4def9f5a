// What the tools put into the grid. Whole pixels only, so nothing is ever in between two regions.

import {about} from "./about.js";
import {put, shown} from "./edit.js";
import {OWN} from "./grid.js";

export const brush = {tool: "brush", region: 4, size: 12};

export const isBroad = tool => tool === "brush" || tool === "eraser";  // others act at a point

const value = () => brush.tool === "eraser" ? OWN : brush.region;

export const paintName = () => brush.tool === "eraser" ? "the photo's own map" : about.words[brush.region];

export const isInside = p => p.x >= 0 && p.y >= 0 && p.x < about.size && p.y < about.size;

export function dab(p) {  // all pixels whose middle lies within the brush
  const s = about.size, r = brush.size / 2, paint = value();
  for (let row = Math.max(0, Math.floor(p.y - r)); row <= Math.min(s - 1, p.y + r); row++) {
    for (let column = Math.max(0, Math.floor(p.x - r)); column <= Math.min(s - 1, p.x + r); column++) {
      if ((column + .5 - p.x) ** 2 + (row + .5 - p.y) ** 2 <= Math.max(r * r, .5)) put(row * s + column, paint);
    }
  }
}

export function line(from, to) {
  const x = to.x - from.x, y = to.y - from.y;
  const steps = Math.max(1, Math.ceil(Math.hypot(x, y) / Math.max(.5, brush.size / 4)));
  for (let i = 1; i <= steps; i++) dab({x: from.x + x * i / steps, y: from.y + y * i / steps});
}

export function fillOutline(points) {  // all pixels whose middle a closed line goes around
  const s = about.size, paint = value();
  for (let row = 0; row < s; row++) {
    const y = row + .5, crossings = [];
    points.forEach((b, i) => {
      const a = points.at(i - 1);
      if ((a.y <= y) !== (b.y <= y)) {
        crossings.push({x: a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x), turn: a.y < b.y ? 1 : -1});
      }
    });
    crossings.sort((a, b) => a.x - b.x);
    let turns = 0;  // how often the line goes around what lies right of a crossing
    crossings.forEach(({x, turn}, i) => {
      turns += turn;
      const end = turns ? Math.min(s, crossings[i + 1].x - .5) : 0;
      for (let column = Math.max(0, Math.ceil(x - .5)); column < end; column++) put(row * s + column, paint);
    });
  }
}

export function fill(p) {  // everything of the region under a point that hangs together with it
  const s = about.size, start = Math.floor(p.y) * s + Math.floor(p.x), from = shown(start), paint = value();
  const reached = new Uint8Array(s * s), todo = [start];
  reached[start] = 1;
  while (todo.length) {
    const i = todo.pop(), column = i % s;
    for (const j of [column > 0 ? i - 1 : -1, column < s - 1 ? i + 1 : -1, i - s, i + s]) {
      if (j >= 0 && j < s * s && !reached[j] && shown(j) === from) { reached[j] = 1; todo.push(j); }
    }
  }
  for (let i = 0; i < s * s; i++) if (reached[i]) put(i, paint);
}
