// The picture above its original size: average interpolation of docs/format.md, without detail.

const REACH = 2, NEAR = 22 / 128, FAR = 3 / 128;

// The bytes (red, green, blue, alpha) of a window at the scale 2^octave.
function windowOf(picture, { octave, top, left, height, width }) {
  const bytes = new Uint8ClampedArray(4 * height * width).fill(255), { channels } = picture;
  for (let channel = 0; channel < channels; channel++) {
    const samples = planeWindow(picture, channel, octave, { top, left, height, width });
    const isAlpha = channels % 2 === 0 && channel === channels - 1;
    const places = isAlpha ? [3] : channels < 3 ? [0, 1, 2] : [channel];
    samples.forEach((sample, i) => {
      for (const place of places) bytes[4 * i + place] = level(clipped(sample));
    });
  }
  return bytes;
}

function planeWindow(picture, channel, octave, window) {
  const { top, left, height, width } = window, limit = [picture.height, picture.width];
  if (octave === 0) {
    const plane = picture.plane(channel), samples = new Float32Array(height * width);
    for (let y = 0; y < height; y++) {
      const from = (top + y) * picture.width + left;
      samples.set(plane.subarray(from, from + width), y * width);
    }
    return samples;
  }
  const [rows, columns] = [[top, height], [left, width]].map(([start, length], axis) => {
    const first = Math.floor(start / 2) - REACH, last = Math.ceil((start + length) / 2) + REACH;
    const low = Math.max(first, 0), high = Math.min(last, limit[axis] * 2 ** (octave - 1));
    return { first, last, low, high };
  });
  const inner = { top: rows.low, left: columns.low, height: rows.high - rows.low, width: columns.high - columns.low };
  const coarse = planeWindow(picture, channel, octave - 1, inner);
  const wide = enlarged(coarse, inner.height, inner.width, columns, left % 2, width);
  const turned = transposed(wide, inner.height, width);
  return transposed(enlarged(turned, width, inner.height, rows, top % 2, height), width, height);
}

// Lines of pixels at twice the size: `length` of them from the start of the span (or one later) on.
function enlarged(pixels, lines, columns, { first, last, low }, skipped, length) {
  const cells = last - first, padded = new Float32Array(cells), result = new Float32Array(lines * length);
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < cells; i++) {
      padded[i] = pixels[line * columns + Math.max(0, Math.min(columns - 1, first + i - low))];
    }
    for (let k = 0; k < length; k++) {
      const i = REACH + ((k + skipped) >> 1);
      const far = Math.fround(padded[i - 2] - padded[i + 2]), near = Math.fround(padded[i - 1] - padded[i + 1]);
      const slope = Math.fround(Math.fround(near * NEAR) - Math.fround(far * FAR));
      result[line * length + k] = (k + skipped) & 1 ? padded[i] - slope : padded[i] + slope;
    }
  }
  return result;
}

function transposed(pixels, height, width) {
  const result = new Float32Array(pixels.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) result[x * height + y] = pixels[y * width + x];
  return result;
}
