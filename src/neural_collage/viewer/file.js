// Files: the container of docs/format.md, and the picture that payload and graphics layer make.

const NEURAL = 2, RGB_SPACE = 1;
const HAS_MODEL = 4, HAS_PROFILE = 8, HAS_GRAPHICS = 16, HAS_METADATA = 32, KNOWN_FLAGS = 63;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(...parts) {
  let crc = -1;
  for (const bytes of parts) for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

function readFile(bytes) {
  if (String(bytes.subarray(0, 5)) !== "137,67,76,71,1") throw damaged("no .clg file of version 1");
  const end = bytes.length - 4;
  if (end < 5 || new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true) !== crc32(bytes.subarray(0, end))) {
    throw damaged("its checksum is another one");
  }
  const reader = new ByteReader(bytes.subarray(5, end)), [codec, flags, space, quality] = reader.take(4);
  if (flags & ~KNOWN_FLAGS) throw new Error("the decoder of this page does not know a part of this file");
  const file = { codec, space, quality, channels: (flags & 3) + 1, profile: null, graphics: null };
  file.width = reader.varint();
  file.height = reader.varint();
  const length = reader.varint();
  if (flags & HAS_MODEL) reader.take(reader.varint() + 8);
  if (flags & HAS_PROFILE) file.profile = reader.take(reader.varint());
  if (flags & HAS_GRAPHICS) file.graphics = reader.take(reader.varint());
  if (flags & HAS_METADATA) reader.take(reader.varint()); // EXIF and XMP, which show nothing
  file.payload = reader.take(length);
  if (reader.rest().length) throw damaged("bytes behind its end");
  return file;
}

// Decodes a file to a Picture. model: a NeuralModel, if it needs one. shown(picture, top, bottom) is
// told of lines whose colours are complete.
function decodeFile(file, model, shown) {
  const { width, height, channels, payload } = file;
  const layer = file.graphics && readLayer(file.graphics, height, width, channels);
  const picture = new Picture(width, height, channels);
  const base = layer ? layer.base : { top: 0, left: 0, bottom: height, right: width };
  if (layer && !layer.quality) {
    if (payload.length) throw damaged("a payload that nothing shows");
  } else {
    const isKnown = file.codec === NEURAL && file.space === RGB_SPACE && model;
    if (!isKnown) throw new Error("the decoder of this page does not know its codec");
    const size = [base.bottom - base.top, base.right - base.left];
    readNeural(payload, model, ...size, channels, (number, top, planes) => {
      picture.put(base, top, planes, number);
      if (!layer && number === 0) shown(picture, top, Math.min(top + RANGE, height));
    });
  }
  if (layer) picture.cover(layer);
  return picture;
}

// Samples in [0, 1], planes one after the other, alpha last; in single precision as the format says.
class Picture {
  constructor(width, height, channels) {
    Object.assign(this, { width, height, channels });
    this.samples = new Float32Array(width * height * channels);
    if (channels % 2 === 0) this.samples.fill(1, width * height * (channels - 1)); // until it is known
  }

  plane(channel) {
    const size = this.width * this.height;
    return this.samples.subarray(channel * size, (channel + 1) * size);
  }

  // Put lines of a base there: colours, or alpha, which is the average of three planes, as is grey.
  put({ top, left, bottom, right }, line, [red, green, blue], isAlpha) {
    const padded = Math.ceil((right - left) / RANGE) * RANGE, single = isAlpha || this.channels < 3;
    const targets = single ? [this.plane(isAlpha ? this.channels - 1 : 0)] : [0, 1, 2].map((n) => this.plane(n));
    for (let y = 0; y < RANGE && top + line + y < bottom; y++) {
      const to = (top + line + y) * this.width + left, from = y * padded;
      for (let x = 0; x < right - left; x++) {
        const r = red[from + x], g = green[from + x], b = blue[from + x];
        if (single) {
          targets[0][to + x] = clipped(Math.fround(Math.fround(r + g) + b) / 3);
        } else {
          targets[0][to + x] = clipped(r);
          targets[1][to + x] = clipped(g);
          targets[2][to + x] = clipped(b);
        }
      }
    }
  }

  cover({ roots, indices, palette }) {
    for (let channel = 0; channel < this.channels; channel++) {
      const plane = this.plane(channel);
      for (let i = 0; i < plane.length; i++) {
        if (indices[i] >= 0) plane[i] = palette[indices[i]][channel] / 255;
        else plane[i] = plane[roots[i]];
      }
    }
  }

  // The bytes of lines as red, green, blue and alpha.
  lines(top, bottom) {
    const { width, channels } = this, first = top * width, count = (bottom - top) * width;
    const bytes = new Uint8ClampedArray(4 * count).fill(255);
    for (let channel = 0; channel < 4; channel++) {
      const hasAlpha = channels % 2 === 0;
      if (channel === 3 && !hasAlpha) break;
      const source = channel === 3 ? channels - 1 : channels < 3 ? 0 : channel, plane = this.plane(source);
      for (let i = 0; i < count; i++) bytes[4 * i + channel] = level(plane[first + i]);
    }
    return bytes;
  }
}

function clipped(value) {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}

function level(sample) {
  return Math.floor(Math.fround(Math.fround(sample * 255) + 0.5));
}
