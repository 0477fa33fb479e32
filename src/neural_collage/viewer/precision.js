// The precision layer of docs/format.md: what it adds to blocks of 8 x 8 pixels, in whole numbers.
//
// Known magnitudes times weights stay below 2^24, and sums of patches below 2^52: doubles are exact.

const BLOCK = 8, WAVES = BLOCK * BLOCK, FEATURES = 10, LARGEST_KNOWN = 15, LARGEST_NUMBER = 32767;
const LARGEST_MAGNITUDE = 255, LARGEST_EXPECTED = 2 ** 17 - 1, NORMS = [3, 2, 6];

// The patches in 2^-14, pixels in raster order.
const WAVE_PATCHES = (() => {
  const wave = (k, i) => Math.cos((Math.PI / BLOCK) * k * (i + 0.5)) * Math.sqrt((k ? 2 : 1) / BLOCK);
  const patches = new Float64Array(WAVES * WAVES);
  for (let patch = 0; patch < WAVES; patch++) {
    for (let pixel = 0; pixel < WAVES; pixel++) {
      const rows = wave(patch >> 3, pixel >> 3), columns = wave(patch & 7, pixel & 7);
      patches[patch * WAVES + pixel] = roundedToEven(rows * columns * 2 ** 14);
    }
  }
  return patches;
})();

// The patches of each diagonal u + v, u rising, and those of lower frequency beside each: up, left,
// both, two up, two left, two up and one left, one up and two left; WAVES where there is none.
const DIAGONALS = Array.from({ length: 2 * BLOCK - 1 }, (_, total) => {
  const found = [], at = (u, v) => (u < 0 || v < 0 ? WAVES : BLOCK * u + v);
  for (let u = Math.max(0, total - BLOCK + 1); u <= Math.min(total, BLOCK - 1); u++) {
    const v = total - u, offsets = [[1, 0], [0, 1], [1, 1], [2, 0], [0, 2], [2, 1], [1, 2]];
    found.push({ patch: at(u, v), lower: offsets.map(([a, b]) => at(u - a, v - b)) });
  }
  return found;
});

// The step of each colour, given that of samples in 2^-16.
function colourSteps(step, channels) {
  if (channels === 1) return [step];
  return NORMS.map((norm) => Math.max(Math.floor(Math.sqrt(Math.floor(step ** 2 / norm))), 1));
}

// Adds the layer of one picture to its base, tile by tile.
class PrecisionLayer {
  // planes: the base around its centre, of whole ranges. channels: that it shows, 1 or 3.
  constructor(model, planes, width, step, channels) {
    Object.assign(this, { model, planes, width, channels, steps: colourSteps(step, channels) });
  }

  // Read the numbers of a tile of whole blocks, given in pixels, and add what they stand for.
  add(stream, top, left, height, width) {
    const rows = height / BLOCK, columns = width / BLOCK;
    const numbers = this.read(stream, this.magnitudes(top, left, rows, columns), rows, columns);
    const sums = [0, 1, 2].map(() => new Float64Array(WAVES));
    for (let block = 0; block < rows * columns; block++) {
      const y = top + BLOCK * Math.floor(block / columns), x = left + BLOCK * (block % columns);
      for (let colour = 0; colour < this.channels; colour++) {
        const sum = sums[colour].fill(0);
        for (let patch = 0; patch < WAVES; patch++) {
          const number = numbers[colour][patch * rows * columns + block] * this.steps[colour];
          if (number === 0) continue;
          for (let i = 0; i < WAVES; i++) sum[i] += number * WAVE_PATCHES[patch * WAVES + i];
        }
      }
      this.put(sums, y, x);
    }
  }

  put([grey, opponent, green], y, x) {
    for (let i = 0; i < WAVES; i++) {
      const at = (y + (i >> 3)) * this.width + x + (i & 7), both = grey[i] + green[i];
      let colours = [grey[i], grey[i], grey[i]];
      if (this.channels > 1) colours = [both + opponent[i], grey[i] - 2 * green[i], both - opponent[i]];
      colours.forEach((value, n) => (this.planes[n][at] += Math.fround(value / 2 ** 30)));
    }
  }

  // The magnitudes of patches in the base, in quarters of a step: for each colour, patch by patch.
  magnitudes(top, left, rows, columns) {
    const found = this.steps.map(() => new Float64Array(WAVES * rows * columns));
    const pixels = this.steps.map(() => new Float64Array(WAVES));
    const whole = (plane, at) => Math.max(-4096, Math.min(4096, roundedToEven(plane[at] * 4096)));
    for (let block = 0; block < rows * columns; block++) {
      const y = top + BLOCK * Math.floor(block / columns), x = left + BLOCK * (block % columns);
      for (let i = 0; i < WAVES; i++) {
        const at = (y + (i >> 3)) * this.width + x + (i & 7);
        const [a, b, c] = this.planes.map((plane) => whole(plane, at));
        pixels[0][i] = a + b + c;
        if (this.channels === 1) continue;
        pixels[1][i] = a - c;
        pixels[2][i] = a - 2 * b + c;
      }
      this.steps.forEach((step, colour) => {
        for (let patch = 0; patch < WAVES; patch++) {
          let sum = 0;
          for (let i = 0; i < WAVES; i++) sum += WAVE_PATCHES[patch * WAVES + i] * pixels[colour][i];
          const quarters = (4 * Math.abs(sum)) / (NORMS[colour] * step * 1024);
          found[colour][patch * rows * columns + block] = Math.floor(Math.min(quarters, LARGEST_MAGNITUDE));
        }
      });
    }
    return found;
  }

  // The numbers of a tile: for each colour, patch by patch.
  read(stream, base, rows, columns) {
    const { weights, indices } = this.model.precision, blocks = rows * columns;
    const numbers = this.steps.map(() => new Int16Array(WAVES * blocks));
    const known = this.steps.map(() => new Float64Array((WAVES + 1) * blocks));
    const boards = [[], []];
    for (let i = 0; i < blocks; i++) boards[(Math.floor(i / columns) + (i % columns)) % 2].push(i);
    const sides = (values, i) => {
      let sum = i >= columns ? values[i - columns] : 0;
      if (i + columns < blocks) sum += values[i + columns];
      if (i % columns) sum += values[i - 1];
      return (i + 1) % columns ? sum + values[i + 1] : sum;
    };
    for (const diagonal of DIAGONALS) {
      for (let colour = 0; colour < this.steps.length; colour++) {
        const own = known[colour], nearest = new Float64Array(blocks);
        const expected = [0, 1].map(() => diagonal.map(() => new Float64Array(blocks)));
        diagonal.forEach(({ patch, lower }, n) => {
          const [up, left, both, up2, left2, upLeft, leftUp] = lower.map((other) => other * blocks);
          for (let i = 0; i < blocks; i++) nearest[i] = own[up + i] + own[left + i];
          for (let board = 0; board < 2; board++) {
            const w = weights.subarray(((colour * 2 + board) * WAVES + patch) * FEATURES), sums = expected[board][n];
            for (const i of boards[board]) {
              let sum = w[0] * nearest[i] + w[1] * own[both + i] + w[2] * (own[up2 + i] + own[left2 + i]);
              sum += w[3] * (own[upLeft + i] + own[leftUp + i]) + w[4] * sides(nearest, i);
              sum += w[5] * base[colour][patch * blocks + i] + w[6];
              for (let other = 0; other < colour; other++) sum += w[7 + other] * known[other][patch * blocks + i];
              sums[i] = sum;
            }
          }
        });
        for (let board = 0; board < 2; board++) {
          const sites = boards[board], scales = new Uint8Array(diagonal.length * sites.length);
          diagonal.forEach(({ patch }, n) => {
            const weight = weights[((colour * 2 + 1) * WAVES + patch) * FEATURES + FEATURES - 1];
            const coded = own.subarray(patch * blocks, (patch + 1) * blocks);
            sites.forEach((i, k) => {
              const sum = expected[board][n][i] + (board ? weight * sides(coded, i) : 0);
              scales[n * sites.length + k] = indices[colour][Math.min(sum, LARGEST_EXPECTED)];
            });
          });
          const symbols = stream.numbers(this.model.tables, scales);
          diagonal.forEach(({ patch }, n) => {
            sites.forEach((i, k) => {
              const symbol = Math.max(-LARGEST_NUMBER, Math.min(LARGEST_NUMBER, symbols[n * sites.length + k]));
              numbers[colour][patch * blocks + i] = symbol;
              own[patch * blocks + i] = Math.min(Math.abs(symbol), LARGEST_KNOWN);
            });
          });
        }
      }
    }
    return numbers;
  }
}

// What the expected magnitudes of numbers depend on, from the numbers of `decoder_weights.py`.
function precisionPriors(numbers) {
  const thresholds = numbers["precision.thresholds"], each = thresholds.length / 3;
  const indices = [0, 1, 2].map((colour) => {
    const found = new Uint8Array(LARGEST_EXPECTED + 1);
    for (let i = 0; i < each; i++) {
      for (let k = thresholds[colour * each + i]; k <= LARGEST_EXPECTED; k++) found[k] = i + 1;
    }
    return found;
  });
  return { weights: Float64Array.from(numbers["precision.weights"]), indices };
}
