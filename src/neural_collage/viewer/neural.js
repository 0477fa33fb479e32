// The neural payload of docs/format.md: coefficients predicted and read, then sums of patches.
//
// All numbers are whole. Weights are below 2^18, states below 2^24 where they are multiplied,
// logarithms below 2^13, and no sum has more than 2^12 terms: sums stay below 2^49, and doubles are
// exact below 2^53. Coefficients times patches stay below 2^30, and with all 4 x 320 below 2^41.

const RANGE = 16, TILE = 64, PATCH = 2 * RANGE, HALF = RANGE / 2, PATCH_PIXELS = 3 * PATCH * PATCH;
const LINKED = 1, SEGMENTED = 2, PRECISE = 4;
const LARGEST_STATE = 2 ** 24, LARGEST_LOGARITHM = 255 * 64, LARGEST_SIDE = 2 ** 15;
const CENTRE = 4, EDGES = [1, 3, 5, 7], CORNERS = [0, 2, CENTRE, 6, 8]; // positions of 3 x 3

// The weights of a model at a quality, from the whole numbers of `decoder_weights.py` by name.
class NeuralModel {
  constructor(numbers) {
    const doubles = (name) => Float64Array.from(numbers[name]);
    this.groups = Array.from(numbers.groups);
    this.count = this.groups.reduce((sum, size) => sum + size);
    this.state = numbers.start.length;
    this.start = doubles("start");
    this.side = { weight: doubles("side.weight"), bias: doubles("side.bias") };
    this.sideIndices = Array.from(numbers["side.log_scale"], scaleIndex);
    this.logScale = doubles("log_scale");
    this.contexts = this.groups.map((_, g) => doubles(`contexts.${g}`));
    this.predictions = this.groups.flatMap((_, g) => [2 * g, 2 * g + 1]).map((n) => {
      const names = ["shift", "hidden.weight", "hidden.bias", "out.weight", "out.bias"];
      return names.map((name) => doubles(`predictions.${n}.${name}`));
    });
    const gains = ["shift", "weight", "bias", "steps"].map((name) => `gain.${name}`);
    this.gain = gains[0] in numbers ? gains.map(doubles) : null;
    this.tables = [];
    const symbols = numbers.counts.length / 64;
    for (let i = 0; i < 64; i++) this.tables.push(fixedTable(numbers.counts.subarray(i * symbols, (i + 1) * symbols)));
    let sum = 0;
    this.logarithms = doubles("logarithms").map((step) => (sum += step));
    this.steps = doubles("steps");
    this.precision = "precision.weights" in numbers ? precisionPriors(numbers) : null;
    this.patches = patchesOf(numbers, this.count);
    this.peaks = new Float64Array(this.count); // the largest magnitude of each patch
    for (let i = 0; i < this.patches.length; i++) {
      const patch = Math.floor(i / PATCH_PIXELS);
      this.peaks[patch] = Math.max(this.peaks[patch], Math.abs(this.patches[i]));
    }
  }
}

// Patches in 2^-15: the first ones as they are, the others as bytes times a scale for each.
function patchesOf(numbers, count) {
  const patches = new Int16Array(count * PATCH_PIXELS);
  const first = numbers["patches.0"], bytes = numbers["patches.1"], scales = numbers["patches.1.scale"];
  patches.set(first);
  for (let i = 0; i < bytes.length; i++) {
    const value = roundedToEven((bytes[i] * scales[Math.floor(i / PATCH_PIXELS)]) / 2 ** 9); // 2^-24 to 2^-15
    patches[first.length + i] = Math.max(-32768, Math.min(32767, value));
  }
  return patches;
}

function roundedToEven(value) {
  const floor = Math.floor(value), rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

// Divided by a power of two, halves up.
const divided = (value, power) => Math.floor(value / power + 0.5);

function scaleIndex(logarithm) {
  return Math.max(0, Math.min(63, Math.floor((logarithm + 3356) / 120)));
}

function rectified(value) {
  const limited = Math.max(-LARGEST_STATE, Math.min(LARGEST_STATE, value));
  return limited < 0 ? divided(limited, 8) : limited;
}

// Sums of columns of a matrix, each times a number, to `sums`; four at a time.
class ColumnSums {
  constructor(most) {
    this.columns = new Int32Array(most);
    this.factors = new Float64Array(most);
    this.count = 0;
  }

  push(column, factor) {
    this.columns[this.count] = column;
    this.factors[this.count++] = factor;
  }

  addTo(sums, offset, length, matrix) {
    const { columns, factors } = this;
    while (this.count % 4) this.push(0, 0);
    for (let k = 0; k < this.count; k += 4) {
      const a = columns[k] * length, b = columns[k + 1] * length;
      const c = columns[k + 2] * length, d = columns[k + 3] * length;
      const p = factors[k], q = factors[k + 1], r = factors[k + 2], s = factors[k + 3];
      for (let i = 0; i < length; i++) {
        sums[offset + i] += p * matrix[a + i] + q * matrix[b + i] + r * matrix[c + i] + s * matrix[d + i];
      }
    }
    this.count = 0;
  }
}

// bias + matrix x inputs, for four columns of inputs at once, side by side in memory.
function layer(matrix, bias, inputs, outputs) {
  const rows = bias.length, columns = matrix.length / rows;
  for (let row = 0; row < rows; row += 2) {
    const first = row * columns, second = first + columns;
    let a = bias[row], b = a, c = a, d = a, e = bias[row + 1], f = e, g = e, h = e;
    for (let i = 0; i < columns; i++) {
      const v = matrix[first + i], w = matrix[second + i];
      const p = inputs[4 * i], q = inputs[4 * i + 1], r = inputs[4 * i + 2], s = inputs[4 * i + 3];
      a += v * p; b += v * q; c += v * r; d += v * s;
      e += w * p; f += w * q; g += w * r; h += w * s;
    }
    outputs[4 * row] = a; outputs[4 * row + 1] = b; outputs[4 * row + 2] = c; outputs[4 * row + 3] = d;
    outputs[4 * row + 4] = e; outputs[4 * row + 5] = f; outputs[4 * row + 6] = g; outputs[4 * row + 7] = h;
  }
}

// Reads one tile of rows x columns ranges.
class TileReader {
  constructor(model, rows, columns) {
    Object.assign(this, { model, rows, columns, sites: rows * columns });
    this.colours = [[], []];
    for (let site = 0; site < this.sites; site++) {
      this.colours[(Math.floor(site / columns) + (site % columns)) % 2].push(site);
    }
    const widest = Math.max(...model.groups.map((size, g) => (g < 2 ? 2 * size : size)), model.sideIndices.length);
    this.sums = new ColumnSums(9 * widest + 4);
    this.widest = widest; // room for what the coefficients of a range tell its neighbours
    this.known = new Int32Array(this.sites);
    this.inputs = new Int32Array(this.sites * widest);
    this.factors = new Float64Array(this.sites * widest);
  }

  // Coefficients in 2^-6 steps, those of a range together; streams: that of each group.
  read(streams) {
    const { model, sites } = this, width = model.state;
    const coefficients = new Float64Array(sites * model.count);
    const state = this.initialState(streams[0]), steps = this.relativeSteps(state);
    let channel = 0;
    model.groups.forEach((size, group) => {
      const context = new Float64Array(sites * width);
      const isLast = group + 1 === model.groups.length;
      for (const [colour, own] of this.colours.entries()) {
        if (colour) this.addContext(context, own, EDGES, group);
        const values = this.pass(streams[group], 2 * group + colour, own, state, context, channel);
        own.forEach((site, k) => {
          for (let c = 0; c < size; c++) coefficients[site * model.count + channel + c] = values[c * own.length + k];
          if (!isLast || !colour) this.note(site, values, k, own.length, size, group);
        });
      }
      if (!isLast) {
        this.addContext(context, this.colours[0], EDGES, group);
        for (const own of this.colours) this.addContext(context, own, CORNERS, group);
        for (let i = 0; i < state.length; i++) state[i] += divided(context[i], 4096);
      }
      channel += size;
    });
    if (steps) {
      for (let i = 0; i < coefficients.length; i++) {
        coefficients[i] = divided(coefficients[i] * steps[Math.floor(i / model.count)], 4096);
      }
    }
    return coefficients;
  }

  initialState(stream) {
    const { model, rows, columns } = this, width = model.state;
    const half = [Math.ceil(rows / 2), Math.ceil(columns / 2)], cells = half[0] * half[1];
    const count = model.sideIndices.length, indices = new Uint8Array(count * cells);
    model.sideIndices.forEach((index, c) => indices.fill(index, c * cells, (c + 1) * cells));
    const side = stream.numbers(model.tables, indices);
    const state = new Float64Array(this.sites * width), outputs = new Float64Array(4 * width);
    for (let y = 0; y < half[0]; y++) {
      for (let x = 0; x < half[1]; x++) {
        for (let tap = 0; tap < 9; tap++) {
          const v = y + Math.floor(tap / 3) - 1, u = x + (tap % 3) - 1;
          if (v < 0 || u < 0 || v >= half[0] || u >= half[1]) continue;
          for (let c = 0; c < count; c++) {
            const value = side[c * cells + v * half[1] + u];
            if (value) this.sums.push(tap * count + c, Math.max(-LARGEST_SIDE, Math.min(LARGEST_SIDE, value)));
          }
        }
        outputs.fill(0);
        this.sums.addTo(outputs, 0, 4 * width, model.side.weight);
        for (let part = 0; part < 4; part++) {
          const row = 2 * y + (part >> 1), column = 2 * x + (part & 1);
          if (row >= rows || column >= columns) continue;
          const site = row * columns + column;
          for (let s = 0; s < width; s++) {
            const output = 4 * s + part;
            state[site * width + s] = divided(outputs[output], 4) + model.side.bias[output] + model.start[s];
          }
        }
      }
    }
    return state;
  }

  // The step of each range in 2^-12 of the common one; null if all are that.
  relativeSteps(state) {
    if (!this.model.gain) return null;
    const [shift, weight, bias, steps] = this.model.gain, width = this.model.state;
    const middle = (steps.length - 1) / 2;
    return Float64Array.from({ length: this.sites }, (_, site) => {
      let sum = bias[0];
      for (let s = 0; s < width; s++) sum += weight[s] * rectified(state[site * width + s] + shift[s]);
      return steps[middle + Math.max(-middle, Math.min(middle, divided(sum, 2 ** 17)))];
    });
  }

  // The coefficients of a group at sites of one colour: those of a channel together.
  pass(stream, number, own, state, context, channel) {
    const { model } = this, width = model.state, n = own.length;
    const [shift, hiddenWeight, hiddenBias, outWeight, outBias] = model.predictions[number];
    const size = outBias.length / 2;
    const inputs = new Float64Array(4 * width), hidden = new Float64Array(4 * width), out = new Float64Array(8 * size);
    const means = new Float64Array(size * n), indices = new Uint8Array(size * n);
    for (let first = 0; first < n; first += 4) {
      const together = Math.min(4, n - first);
      for (let j = 0; j < together; j++) {
        const at = own[first + j] * width;
        for (let s = 0; s < width; s++) {
          inputs[4 * s + j] = rectified(state[at + s] + divided(context[at + s], 4096) + shift[s]);
        }
      }
      layer(hiddenWeight, hiddenBias, inputs, hidden);
      for (let i = 0; i < hidden.length; i++) hidden[i] = rectified(divided(hidden[i], 4096));
      layer(outWeight, outBias, hidden, out);
      for (let c = 0; c < size; c++) {
        for (let j = 0; j < together; j++) {
          means[c * n + first + j] = divided(out[4 * c + j], 65536);
          const logarithm = divided(out[4 * (size + c) + j], 4096) + model.logScale[channel + c];
          indices[c * n + first + j] = scaleIndex(logarithm);
        }
      }
    }
    const values = stream.numbers(model.tables, indices);
    for (let i = 0; i < means.length; i++) means[i] += values[i] * 64;
    return means;
  }

  // Keep what the coefficients of a range tell its neighbours: numbers of inputs, and these.
  note(site, values, k, n, size, group) {
    const { inputs, factors } = this, { logarithms } = this.model;
    let at = site * this.widest;
    for (let c = 0; c < size; c++) {
      const value = values[c * n + k];
      if (value === 0) continue;
      const logarithm = logarithms[Math.min(Math.abs(value), LARGEST_LOGARITHM)];
      inputs[at] = c;
      factors[at++] = group < 2 && value < 0 ? -logarithm : logarithm;
      if (group > 1) continue;
      inputs[at] = size + c;
      factors[at++] = logarithm;
    }
    this.known[site] = at - site * this.widest;
  }

  addContext(context, targets, taps, group) {
    const { model, rows, columns, sums } = this, width = model.state;
    const inputs = model.groups[group] * (group < 2 ? 2 : 1);
    for (const site of targets) {
      const y = Math.floor(site / columns), x = site % columns;
      for (const tap of taps) {
        const v = y + Math.floor(tap / 3) - 1, u = x + (tap % 3) - 1;
        if (v < 0 || u < 0 || v >= rows || u >= columns) continue;
        const near = v * columns + u, first = near * this.widest, last = first + this.known[near];
        for (let i = first; i < last; i++) sums.push(tap * inputs + this.inputs[i], this.factors[i]);
      }
      sums.addTo(context, site * width, width, model.contexts[group]);
    }
  }
}
