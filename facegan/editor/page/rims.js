// The map enlarged without staircases.

// Scale2x (A. Mazzoleni, https://www.scale2x.it): every pixel becomes four; where two neighbours at a corner are alike
// and the others are not, the quarter at that corner takes their colour. No new colour arises.
export function doubled(pixels, width, height) {  // Uint32Array, row by row -> one of four times the length
  const result = new Uint32Array(4 * pixels.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const i = row * width + column, p = pixels[i], to = 4 * row * width + 2 * column;
      const up = row ? pixels[i - width] : p, down = row < height - 1 ? pixels[i + width] : p;
      const left = column ? pixels[i - 1] : p, right = column < width - 1 ? pixels[i + 1] : p;
      const isCorner = up !== down && left !== right;
      result[to] = isCorner && left === up ? up : p;
      result[to + 1] = isCorner && up === right ? right : p;
      result[to + 2 * width] = isCorner && left === down ? left : p;
      result[to + 2 * width + 1] = isCorner && down === right ? right : p;
    }
  }
  return result;
}
