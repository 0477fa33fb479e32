// Runs the worker of a page as a browser would, and prints what it sends as lines of JSON.
//
//     node run_page.js PAGE [--window OCTAVE,TOP,LEFT,HEIGHT,WIDTH | --png]
//     node run_page.js PAGE --files FILE.clg ...
//
// --window, --png: what is asked for at the end. --files: decode these with the weights of the page in
// place of its own file; prints the bytes of each, or its error. Bytes are printed in base64.
const fs = require("node:fs");
const vm = require("node:vm");

const [page, option, ...values] = process.argv.slice(2);
const source = new TextDecoder("utf-16le").decode(fs.readFileSync(page));

function element(id) {
  const start = source.indexOf(`<script type="text/plain" id="${id}"`), text = source.indexOf(">", start) + 1;
  const attributes = source.slice(start, text);
  const value = (name) => (attributes.match(new RegExp(`data-${name}=(["'])(.*?)\\1`)) ?? [])[2];
  const index = value("index") && JSON.parse(value("index"));
  const end = source.indexOf("</script>", text), bytes = Number(value("bytes"));
  return { text: source.slice(text, end), bytes, kind: value("kind"), index };
}

const base64 = (bytes) => Buffer.from(bytes).toString("base64");

globalThis.postMessage = (message) => {
  const { lines, window, png } = message;
  if (lines) lines.bytes = base64(lines.bytes);
  if (window) window.bytes = base64(window.bytes);
  if (png) message.png = base64(png);
  console.log(JSON.stringify(message));
};
globalThis.onmessage = null;
vm.runInThisContext(element("decoder").text);

function decodeOther(path, model) {
  try {
    const picture = decodeFile(readFile(new Uint8Array(fs.readFileSync(path))), model, () => {});
    return { bytes: base64(picture.lines(0, picture.height)) };
  } catch (error) {
    return { error: error.message, isDamaged: error instanceof DamagedFile };
  }
}

async function main() {
  const file = element("file"), weights = element("weights");
  if (option === "--files") {
    const data = await inflated(bytesOf(weights.text, weights.bytes));
    const model = new NeuralModel(numbersOf(data, weights.index));
    for (const path of values) console.log(JSON.stringify(decodeOther(path, model)));
    return;
  }
  await onmessage({ data: { kind: file.kind, file, weights: weights.index && weights } });
  if (option === "--window") {
    const [octave, top, left, height, width] = values[0].split(",").map(Number);
    await onmessage({ data: { window: { octave, top, left, height, width } } });
  } else if (option === "--png") await onmessage({ data: { png: true } });
}

main();
