// Bytes in the text of the page: 15 bits in each character from U+3000 on.

const FIRST_CHARACTER = 0x3000;

function bytesOf(text, count) {
  const bytes = new Uint8Array(count);
  let bits = 0, held = 0, written = 0;
  for (let i = 0; i < text.length; i++) {
    held = (held << 15) | (text.charCodeAt(i) - FIRST_CHARACTER);
    bits += 15;
    for (; bits >= 8 && written < count; bits -= 8) bytes[written++] = (held >> (bits - 8)) & 255;
    held &= (1 << bits) - 1;
  }
  return bytes;
}

async function inflated(bytes) {
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is older than 2023: use a newer one");
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Whole numbers by name. index: [name, bytes of each, count]; of a tensor the lowest bytes of all come
// first, then the next ones, and the last ones are signed.
function numbersOf(bytes, index) {
  const numbers = {};
  let position = 0;
  for (const [name, width, count] of index) {
    const values = new Int32Array(count);
    for (let place = 0; place < width; place++) {
      const shift = 8 * place, isLast = place === width - 1;
      for (let i = 0; i < count; i++) {
        const byte = bytes[position++];
        values[i] |= (isLast ? (byte << 24) >> 24 : byte) << shift;
      }
    }
    numbers[name] = values;
  }
  return numbers;
}
