// Runs the worker of a page as a browser would, and prints what it sends as JSON lines.
//
//     node run_page.js PAGE.html [WINDOW]
//
// WINDOW: octave,top,left,height,width, which is asked for at the end. Bytes are printed in base64.
const fs = require("node:fs"), vm = require("node:vm");

const page = new TextDecoder("utf-16le").decode(fs.readFileSync(process.argv[2]));
const element = (id) => {
  const [, attributes, text] = page.match(new RegExp(`<script type="text/plain" id="${id}"([^>]*)>([^<]*(?:<(?!/script>)[^<]*)*)</script>`));
  const value = (name) => (attributes.match(new RegExp(`data-${name}=(["'])(.*?)\\1`)) ?? [])[2];
  return { text, bytes: Number(value("bytes")), kind: value("kind"), index: value("index") && JSON.parse(value("index")) };
};
const bytes = (value) => Buffer.from(value).toString("base64");
globalThis.postMessage = (message) => {
  const { lines, window, png } = message;
  if (lines) lines.bytes = bytes(lines.bytes);
  if (window) window.bytes = bytes(window.bytes);
  if (png) message.png = bytes(png);
  console.log(JSON.stringify(message));
};
globalThis.onmessage = null;
vm.runInThisContext(element("decoder").text);
const file = element("file"), weights = element("weights");
(async () => {
  const started = performance.now();
  await onmessage({ data: { kind: file.kind, file, weights: weights.index && weights } });
  console.log(JSON.stringify({ milliseconds: performance.now() - started }));
  if (!process.argv[3]) return;
  const [octave, top, left, height, width] = process.argv[3].split(",").map(Number);
  await onmessage({ data: { window: { octave, top, left, height, width } } });
  await onmessage({ data: { png: true } });
})();
