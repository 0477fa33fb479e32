// The worker of the page: unpacks and decodes its file, then answers what is asked of the picture.
//
// It is sent { kind: "clg" or "png", file, weights } once, the last two as packed by `packing.js`, and
// then { window } or { png: true }. It sends { size }, { progress }, { lines } and then { done }, or
// { png } in place of the last two; { window } or { png } for what is asked for; or { error }.

const LINES_AT_ONCE = 64;
let decoded = null, profile = null;

onmessage = async ({ data }) => {
  try {
    if (data.kind) await open(data);
    else if (data.window) sendWindow(data.window);
    else postMessage({ png: await pngOf(decoded, profile), wanted: true });
  } catch (error) {
    postMessage({ error: String(error.message ?? error) });
  }
};

async function open({ kind, file, weights }) {
  const bytes = bytesOf(file.text, file.bytes);
  if (kind === "png") {
    postMessage({ png: bytes });
    return;
  }
  const header = readFile(bytes), { width, height } = header;
  postMessage({ size: { width, height } });
  const packed = weights && (await inflated(bytesOf(weights.text, weights.bytes)));
  const model = weights && new NeuralModel(numbersOf(packed, weights.index));
  profile = header.profile;
  let sent = 0;
  decoded = decodeFile(header, model, (picture, top, bottom) => {
    postMessage({ progress: bottom / height });
    if (bottom - sent < LINES_AT_ONCE || profile) return;
    sendLines(picture, sent, bottom);
    sent = bottom;
  });
  if (header.graphics || decoded.channels % 2 === 0) sent = 0; // all of them change at the end
  if (profile) {
    postMessage({ png: await pngOf(decoded, profile) }); // browsers convert its colours
    return;
  }
  for (let top = sent; top < height; top += 1024) sendLines(decoded, top, Math.min(top + 1024, height));
  postMessage({ done: true });
}

function sendLines(picture, top, bottom) {
  const bytes = picture.lines(top, bottom);
  postMessage({ lines: { top, bottom, bytes } }, [bytes.buffer]);
}

function sendWindow(window) {
  const bytes = windowOf(decoded, window);
  postMessage({ window: { ...window, bytes } }, [bytes.buffer]);
}
