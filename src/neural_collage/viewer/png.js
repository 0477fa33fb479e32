// A picture as a PNG file, with the colour profile of its file.

async function pngOf(picture, profile) {
  const { width, height, channels } = picture, stride = width * channels;
  const filtered = new Uint8Array(height * (stride + 1)); // a zero before each line: no filter
  for (let channel = 0; channel < channels; channel++) {
    const plane = picture.plane(channel);
    for (let y = 0; y < height; y++) {
      const at = y * (stride + 1) + 1 + channel;
      for (let x = 0; x < width; x++) filtered[at + x * channels] = level(plane[y * width + x]);
    }
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);
  header.setUint8(9, [0, 4, 2, 6][channels - 1]);
  const deflated = new Blob([filtered]).stream().pipeThrough(new CompressionStream("deflate"));
  const parts = [Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10), chunk("IHDR", new Uint8Array(header.buffer))];
  if (profile) parts.push(chunk("iCCP", Uint8Array.of(112, 0, 0), profile));
  parts.push(chunk("IDAT", new Uint8Array(await new Response(deflated).arrayBuffer())), chunk("IEND"));
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function chunk(name, ...parts) {
  const type = new TextEncoder().encode(name), length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(length + 12), view = new DataView(bytes.buffer);
  view.setUint32(0, length);
  let at = 4;
  for (const part of [type, ...parts]) {
    bytes.set(part, at);
    at += part.length;
  }
  view.setUint32(at, crc32(bytes.subarray(4, at)));
  return bytes;
}
