// Pixels of the neural payload: sums of overlapping patches, mirrored at the edges, row by row.

// Reads a payload; calls write(picture, top, planes) for 16 rows of pixels at a time, top to bottom.
// channels: of the file; picture 1 is its alpha. planes: three Float32Arrays of the padded width, in
// [0, 1] but for overshoot.
function readNeural(payload, model, height, width, channels, write) {
  if (payload.length === 0 || payload[0] > 7) throw damaged("an empty neural payload, or unknown parameters");
  const step = payload[0] & PRECISE ? stepOf(payload) : 0;
  if (payload[0] & LINKED) throw new Error("the decoder of this page does not know links");
  if (step && !model.precision) throw new Error("the decoder of this page does not know precision layers");
  const rows = Math.ceil(height / RANGE), columns = Math.ceil(width / RANGE), pictures = channels % 2 ? 1 : 2;
  const across = Math.ceil(columns / TILE), tiles = across * Math.ceil(rows / TILE);
  const streams = openStreams(payload, pictures * tiles, model.groups.length);
  const bases = [];
  for (let picture = 0; picture < pictures; picture++) {
    const base = step && [0, 1, 2].map(() => new Float32Array(rows * columns * RANGE ** 2));
    if (step) bases.push(base);
    const keep = (top, planes) => planes.forEach((plane, n) => base[n].set(plane, top * columns * RANGE));
    const show = (top, planes) => write(picture, top, centred(planes));
    const sums = new PatchSums(model, rows, columns, step ? keep : show);
    for (let y = 0; y * TILE < rows; y++) {
      const tileRows = Math.min(TILE, rows - y * TILE), amplitudes = [];
      for (let x = 0; x < across; x++) {
        const tileColumns = Math.min(TILE, columns - x * TILE), number = picture * tiles + y * across + x;
        const own = streams.groups.map((group) => group[number]);
        amplitudes.push(amplitudesOf(new TileReader(model, tileRows, tileColumns).read(own), model));
        if (streams.segmented) own.forEach((stream) => stream.finish());
      }
      for (let row = 0; row < tileRows; row++) sums.add(amplitudes, row);
    }
    sums.finish();
  }
  for (const [picture, base] of bases.entries()) {
    const shown = picture === 1 || channels < 3 ? 1 : 3;
    const layer = new PrecisionLayer(model, base, columns * RANGE, step, shown);
    for (let y = 0; y < rows; y += TILE) {
      const tileRows = Math.min(TILE, rows - y);
      for (let x = 0; x < columns; x += TILE) {
        const stream = streams.precise[picture * tiles + (y / TILE) * across + x / TILE];
        layer.add(stream, y * RANGE, x * RANGE, tileRows * RANGE, Math.min(TILE, columns - x) * RANGE);
        if (streams.segmented) stream.finish();
      }
      for (let row = y; row < y + tileRows; row++) {
        const first = RANGE ** 2 * columns * row;
        const planes = base.map((plane) => plane.subarray(first, first + RANGE ** 2 * columns));
        write(picture, row * RANGE, centred(planes));
      }
    }
  }
  streams.last.finish();
}

// The step of a precision layer, which follows the quality of its base.
function stepOf(payload) {
  if (payload[0] & LINKED) throw damaged("a precision layer on a picture with links");
  const quality = payload[1], step = payload[2] + 256 * payload[3];
  if (payload.length < 4 || quality < 1 || quality > 100 || step === 0) throw damaged("its precision layer is invalid");
  return step;
}

function centred(planes) {
  for (const plane of planes) for (let i = 0; i < plane.length; i++) plane[i] += 0.5;
  return planes;
}

// The streams of each group, one for each tile, and the last one of the payload; those of a precision
// layer, one for each tile.
function openStreams(payload, tiles, groups) {
  const isPrecise = (payload[0] & PRECISE) !== 0, data = payload.subarray(isPrecise ? 4 : 1);
  if (!(payload[0] & SEGMENTED)) {
    const whole = new SymbolDecoder(data), each = Array(tiles).fill(whole);
    return { groups: Array(groups).fill(each), last: whole, precise: each, segmented: false };
  }
  const reader = new ByteReader(data);
  const lengths = Array.from({ length: tiles * (groups + isPrecise) }, () => reader.varint());
  const segments = lengths.map((length) => new SymbolDecoder(reader.take(length)));
  segments.push(new SymbolDecoder(reader.rest()));
  const of = (group) => segments.slice(group * tiles, (group + 1) * tiles);
  const precise = isPrecise ? segments.slice(groups * tiles + 1) : [];
  return {
    groups: Array.from({ length: groups }, (_, group) => of(group)),
    last: segments[groups * tiles], // that of the links
    precise,
    segmented: true,
  };
}

// Coefficients of patches in 2^-11, given those in 2^-6 steps.
function amplitudesOf(coefficients, { steps, count }) {
  const amplitudes = new Int16Array(coefficients.length);
  for (let first = 0; first < coefficients.length; first += count) {
    for (let a = 0; a < count; a++) {
      const value = coefficients[first + a];
      if (value === 0) continue;
      amplitudes[first + a] = Math.max(-32768, Math.min(32767, divided(value * steps[a], 2048)));
    }
  }
  return amplitudes;
}

class PatchSums {
  constructor(model, rows, columns, write) {
    Object.assign(this, { model, columns, write });
    this.height = rows * RANGE;
    this.stride = (columns + 1) * RANGE; // with half a range on either side
    this.above = this.strip();
    this.below = this.strip();
    this.top = -HALF; // of the strip above
    this.single = new Int32Array(PATCH_PIXELS);
    this.double = new Float64Array(PATCH_PIXELS);
    this.used = new Int32Array(model.count + 6);
    this.factors = new Int32Array(model.count + 6);
  }

  strip() {
    return [0, 1, 2].map(() => new Float64Array(RANGE * this.stride));
  }

  // Add a row of ranges, given the coefficients of the tiles that it crosses.
  add(tiles, row) {
    let column = 0;
    for (const [number, amplitudes] of tiles.entries()) {
      const tileColumns = Math.min(TILE, this.columns - number * TILE);
      for (let x = 0; x < tileColumns; x++, column++) {
        this.place(this.patch(amplitudes, (row * tileColumns + x) * this.model.count), column);
      }
    }
    this.emit();
  }

  // The sum of the patches of a range; in 32 bits if the sum of its terms cannot leave these.
  patch(amplitudes, at) {
    const { model, used, factors } = this, { patches, peaks } = model;
    let count = 0, most = 0;
    for (let a = 0; a < model.count; a++) {
      const factor = amplitudes[at + a];
      if (factor === 0) continue;
      used[count] = a * PATCH_PIXELS;
      factors[count++] = factor;
      most += Math.abs(factor) * peaks[a];
    }
    if (most >= 2 ** 31) {
      this.double.fill(0);
      for (let k = 0; k < count; k++) {
        for (let i = 0; i < PATCH_PIXELS; i++) this.double[i] += factors[k] * patches[used[k] + i];
      }
      return this.double;
    }
    for (; count % 6; count++) used[count] = factors[count] = 0;
    this.single.fill(0);
    for (let k = 0; k < count; k += 6) addSix(this.single, patches, used, factors, k);
    return this.single;
  }

  place(patch, column) {
    for (let plane = 0; plane < 3; plane++) {
      for (let y = 0; y < PATCH; y++) {
        const sums = (y < RANGE ? this.above : this.below)[plane];
        const from = (plane * PATCH + y) * PATCH, to = (y % RANGE) * this.stride + column * RANGE;
        for (let x = 0; x < PATCH; x++) sums[to + x] += patch[from + x];
      }
    }
  }

  // Write what is complete; the lines above the picture are mirrored into it.
  emit() {
    if (this.top < 0) {
      this.fold(this.above, HALF - 1, this.above, HALF);
      this.held = this.above; // its second half is the first half of what is written next
    } else {
      this.output(this.held, HALF, this.above, 0);
      this.held = this.above;
    }
    this.top += RANGE;
    this.above = this.below;
    this.below = this.strip();
  }

  // Write the last lines, after those below the picture are mirrored into it.
  finish() {
    this.fold(this.above, HALF, this.above, HALF - 1);
    this.output(this.held, HALF, this.above, 0);
  }

  // Add the eight lines from one on to those from another on, in opposite order.
  fold(source, from, target, to) {
    const step = to > from ? 1 : -1, { stride } = this;
    for (let plane = 0; plane < 3; plane++) {
      for (let k = 0; k < HALF; k++) {
        const a = (from - step * k) * stride, b = (to + step * k) * stride;
        for (let x = 0; x < stride; x++) target[plane][b + x] += source[plane][a + x];
      }
    }
  }

  // Write eight lines of one strip and eight of the next one.
  output(first, from, second, to) {
    const width = this.stride - RANGE;
    const planes = [0, 1, 2].map((plane) => {
      const pixels = new Float32Array(RANGE * width);
      for (let y = 0; y < RANGE; y++) {
        const [sums, line] = y < HALF ? [first[plane], from + y] : [second[plane], to + y - HALF];
        const row = sums.subarray(line * this.stride, (line + 1) * this.stride);
        for (let x = 0; x < HALF; x++) {
          row[HALF + x] += row[HALF - 1 - x];
          row[width + HALF - 1 - x] += row[width + HALF + x];
        }
        for (let x = 0; x < width; x++) {
          pixels[y * width + x] = row[HALF + x] / 2 ** 26;
        }
      }
      return pixels;
    });
    this.write(this.top - HALF, planes);
  }
}

function addSix(sums, patches, used, factors, k) {
  const a = used[k], b = used[k + 1], c = used[k + 2], d = used[k + 3], e = used[k + 4], f = used[k + 5];
  const p = factors[k], q = factors[k + 1], r = factors[k + 2];
  const s = factors[k + 3], t = factors[k + 4], u = factors[k + 5];
  for (let i = 0; i < PATCH_PIXELS; i++) {
    const first = (Math.imul(p, patches[a + i]) + Math.imul(q, patches[b + i])) | 0;
    const second = (Math.imul(r, patches[c + i]) + Math.imul(s, patches[d + i])) | 0;
    const third = (Math.imul(t, patches[e + i]) + Math.imul(u, patches[f + i])) | 0;
    sums[i] = (((sums[i] + first) | 0) + ((second + third) | 0)) | 0;
  }
}
