// The graphics layer of docs/format.md: copies of earlier pixels, and pixels of few colours.

const NEIGHBOURS = [
  [0, -1], [-1, 0], [-1, -1], [-1, 1], [0, -2], [-2, 0],
  [-1, 2], [-1, -2], [-2, -1], [-2, 1], [0, -3], [-2, 2],
];
const FOLLOWED = [2, 4, 6, 8, 12];
const MOST_COPIES = 4096, MOST_COLOURS = 65536;

// The layer of a stream: of each pixel the one that it repeats in the end (`roots`) and its colour or
// -1 (`indices`), the colours (`palette`), and the rectangle of the base.
function readLayer(stream, height, width, channels) {
  if (stream.length === 0 || stream[0] > 100) throw damaged("the first byte of the graphics layer");
  const decoder = new SymbolDecoder(stream.subarray(1)), lowest = stream[0] ? 0 : 1;
  const block = 4 << decoder.uniform(5), square = 64 << decoder.uniform(4);
  const copies = readCopies(decoder, height, width), palette = readPalette(decoder, channels);
  const across = Math.ceil(width / block), ranges = across * Math.ceil(height / block);
  const every = Int32Array.from({ length: ranges }, (_, i) => i);
  const symbols = 2 + copies.length - lowest;
  const modes = readMap(decoder, across, every, every, symbols, square);
  const roots = new Int32Array(height * width), painted = [];
  const base = { top: height, left: width, bottom: 0, right: 0 };
  for (let y = 0, position = 0; y < height; y++) {
    const row = Math.floor(y / block) * across;
    for (let x = 0; x < width; x++, position++) {
      const mode = modes[row + Math.floor(x / block)] + lowest;
      roots[position] = position;
      if (mode === 0) {
        base.top = Math.min(base.top, y);
        base.left = Math.min(base.left, x);
        base.bottom = y + 1;
        base.right = Math.max(base.right, x + 1);
      } else if (mode === 1) {
        painted.push(position);
      } else {
        const { kind, a, b } = copies[mode - 2];
        const v = kind === 0 ? y - a : kind === 1 ? a - y : y;
        const u = kind === 0 ? x - b : kind === 1 ? x : a - x, source = v * width + u;
        if (v < 0 || u < 0 || u >= width || source >= position) throw damaged("a copy of what does not come before it");
        roots[position] = roots[source];
      }
    }
  }
  if (Boolean(stream[0]) !== base.bottom > 0) throw damaged("a graphics layer with or without a base");
  if (painted.length < palette.length || (painted.length && !palette.length)) {
    throw damaged("colours that do not fit the painted ranges");
  }
  const indices = readMap(decoder, width, roots, Int32Array.from(painted), palette.length, square);
  decoder.finish();
  return { quality: stream[0], roots, indices, palette, base };
}

function readCopies(decoder, height, width) {
  const count = decoder.number();
  if (count > MOST_COPIES) throw damaged("more copies than a graphics layer may have");
  const kinds = decoder.adaptive(adaptiveTables([[256, 32, 32]]), Array(count).fill(0));
  const copies = kinds.map((kind) => ({ kind, a: 0, b: 0 }));
  for (const copy of copies) if (copy.kind === 1) copy.a = decoder.uniform(2 * height - 1);
  for (const copy of copies) if (copy.kind === 2) copy.a = decoder.uniform(2 * width - 1);
  for (const copy of copies) if (copy.kind === 0) copy.a = decoder.uniform(height);
  for (const copy of copies) {
    if (copy.kind !== 0) continue;
    copy.b = copy.a ? decoder.uniform(2 * width - 1) + 1 - width : 1 + decoder.uniform(width - 1);
  }
  return copies;
}

function readPalette(decoder, channels) {
  const count = decoder.number();
  if (count > MOST_COLOURS) throw damaged("more colours than a graphics layer may have");
  const tables = adaptiveTables(Array(2 * channels).fill([256, ...Array(10).fill(32)]));
  const colours = Array.from({ length: count }, () => []), moved = Array(count).fill(0);
  for (let channel = 0; channel < channels; channel++) {
    const lengths = decoder.adaptive(tables, moved.map((one) => 2 * channel + one));
    const isAlpha = channel % 2 === 1 && channel === channels - 1;
    let sum = 0, before = 0;
    lengths.forEach((length, i) => {
      const lowest = length ? 2 ** (length - 1) : 0;
      sum += unfolded(lowest + decoder.uniform(lowest || 1));
      const value = sum + (isAlpha || channel === 0 ? 0 : colours[i][channel - 1]);
      if (value < 0 || value > 255) throw damaged("a colour out of range");
      if (value !== before) moved[i] = 1;
      colours[i].push((before = value));
    });
  }
  const luma = (c) => (channels > 2 ? 299 * c[0] + 587 * c[1] + 114 * c[2] : 0);
  const alpha = (c) => (channels % 2 ? 0 : c[channels - 1]);
  return colours.sort((a, b) => {
    let order = alpha(a) - alpha(b) || luma(a) - luma(b);
    for (let channel = channels - 1; channel >= 0 && !order; channel--) order = a[channel] - b[channel];
    return order;
  });
}

// The indices at the coded positions, in place of -1.
function readMap(decoder, width, roots, coded, symbols, square) {
  const values = new Int32Array(roots.length).fill(-1);
  if (symbols < 2) {
    for (const position of coded) values[position] = 0;
    return values;
  }
  const digits = bitLength(symbols - 1);
  const logSize = Math.min(Math.max(bitLength(coded.length), 10), 19);
  const logDigits = Math.min(Math.max(bitLength(digits * coded.length), 10), 20);
  const map = {
    values, roots, width, logSize, height: roots.length / width,
    followers: FOLLOWED.map(() => new Int32Array(2 ** logSize).fill(-1)),
    questions: new Mixer(decoder, [255, 60, 30, 30, 30, 120, 255], logSize + 1, 2048),
    digits: new Mixer(decoder, Array(6).fill(255), logDigits, 4 * digits),
  };
  for (const wave of wavesOf(coded, width, square)) {
    const known = wave.map((position) => contextOf(map, position));
    const found = readWave(map, known, digits);
    wave.forEach((position, i) => {
      if (found[i] >= symbols) throw damaged("an index too large");
      values[position] = found[i];
      known[i].keys.forEach((key, table) => (map.followers[table][key] = found[i]));
    });
  }
  return values;
}

function wavesOf(coded, width, square) {
  const waves = [];
  for (const position of coded) {
    const y = Math.floor(position / width), wave = ((position - y * width) % square) + 2 * (y % square);
    (waves[wave] ??= []).push(position);
  }
  return waves.filter(Boolean);
}

function readWave({ questions, digits: mixer }, known, digits) {
  const found = new Int32Array(known.length).fill(-1);
  for (let number = 0; number < 4; number++) {
    known.forEach((context, i) => {
      if (found[i] >= 0 || number >= context.distinct.length) return;
      const candidate = context.distinct[number];
      if (questions.read(ask(questions, context, number, candidate))) found[i] = candidate;
    });
    questions.learn();
  }
  const open = [], prefixes = [];
  found.forEach((value, i) => value < 0 && open.push(i));
  for (const _ of open) prefixes.push(1);
  for (let digit = digits - 1; digit >= 0; digit--) {
    open.forEach((i, k) => {
      prefixes[k] = 2 * prefixes[k] + mixer.read(spell(mixer, known[i].neighbours, digit, prefixes[k]));
    });
    mixer.learn();
  }
  open.forEach((i, k) => (found[i] = prefixes[k] - 2 ** digits));
  return found;
}

// What is known of an index before its wave.
function contextOf({ values, roots, width, height, logSize, followers }, position) {
  const y = Math.floor(position / width), x = position - y * width;
  const neighbours = NEIGHBOURS.map(([dy, dx]) => {
    const v = y + dy, u = x + dx;
    return v >= 0 && v < height && u >= 0 && u < width ? values[roots[v * width + u]] : -1;
  });
  const [left, above] = neighbours, keys = [], hashes = [];
  let high = 0, low = 0, pattern = 0;
  const patterns = [];
  neighbours.forEach((one, i) => {
    mix(high, low, one);
    high = hashHigh;
    low = hashLow;
    if (FOLLOWED.includes(i + 1)) {
      end(high, low);
      keys.push(hashHigh >>> (32 - logSize));
      if (i > 1) hashes.push([hashHigh, hashLow]); // of 4, 6, 8 and 12 neighbours
    }
    if (i > 0) pattern = 4 * pattern + (one === left ? 1 : 0) + (one === above ? 2 : 0);
    if (i === 5 || i === 11) patterns.push(pattern);
  });
  const ended = patterns.map((one) => {
    mix(0, one, one % 4);
    end(hashHigh, hashLow);
    return [hashHigh, hashLow];
  });
  const candidates = keys.map((key, table) => followers[table][key]).reverse();
  candidates.push(...neighbours.slice(0, 4));
  const distinct = [...new Set(candidates)].filter((one) => one >= 0);
  return { neighbours, keys, candidates, distinct, hashes: [ended[0], ...hashes, ended[1]] };
}

// The cells of a question; returns its selector.
function ask(mixer, { candidates, hashes }, number, candidate) {
  let agreeing = 0, missing = 0;
  candidates.forEach((one, i) => {
    if (one === candidate) agreeing += 2 ** i;
    if (one < 0) missing += 2 ** i;
  });
  hashes.forEach(([high, low], context) => {
    asked(high, low, number);
    mixer.use(context);
  });
  mix(0, 0, agreeing);
  mix(hashHigh, hashLow, missing);
  end(hashHigh, hashLow);
  asked(hashHigh, hashLow, number);
  mixer.use(6);
  return 512 * number + agreeing;
}

// The cells of a digit after a 1 and those before; returns its selector.
function spell(mixer, [left, above, corner, right, far], digit, prefix) {
  const level = left + above - corner;
  const median = Math.max(Math.min(left, above), Math.min(Math.max(left, above), level));
  const change = Math.abs(left - corner) + Math.abs(above - corner) + Math.abs(above - right);
  const contexts = [[], [left], [above], [median, change], [left, above], [(left + above) >> 1, 2 * left - far]];
  contexts.forEach((numbers, context) => {
    hashHigh = hashLow = 0;
    for (const number of numbers) mix(hashHigh, hashLow, number);
    const sum = hashLow + context, carry = Math.floor(sum / TWO_32);
    mix((hashHigh + carry) >>> 0, (sum - carry * TWO_32) >>> 0, prefix);
    end(hashHigh, hashLow);
    mixer.use(context);
  });
  return 4 * digit + (change >= 4) + (change >= 16) + (change >= 32);
}
