// The page: shows what its worker decodes, and zooms into it.
"use strict";

const SIDE = 1024; // of the canvases that hold the picture
const LARGEST = 64, STEP = 1.25, DEEPEST = 6, SETTLED = 120;
const INTERPOLATED = ", interpolated"; // without the detail that `collage decompress` adds
const element = (id) => document.getElementById(id);
const view = element("view"), context = view.getContext("2d");
const root = document.documentElement;
const picture = { width: 0, height: 0, tiles: [], finer: false, window: null, name: root.dataset.name };
let isStale = 0; // whether a frame is to draw lines that have come
let kept = null; // the PNG that is shown, if one is
let scale = 1, x = 0, y = 0, isFitted = true, timer = 0; // scale: screen pixels of one; x, y: of the centre

const source = element("decoder").textContent;
const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
worker.onerror = (event) => fail(event.message);
worker.onmessage = ({ data }) => {
  if (data.size) resize(data.size.width, data.size.height);
  if (data.lines) putLines(data.lines);
  if (data.progress) element("progress").textContent = `decoding ${Math.round(100 * data.progress)} %`;
  if (data.png) {
    const blob = new Blob([data.png], { type: "image/png" });
    if (data.wanted) save(blob);
    else putPng(blob).then(finished, (error) => fail(error.message));
  }
  if (data.window) putWindow(data.window);
  if (data.error) fail(data.error);
  if (data.done && !kept) {
    picture.finer = true;
    finished();
  }
};

function finished() {
  element("save").disabled = false;
  element("progress").textContent = "";
  root.dataset.state = "done";
  draw();
}

element("progress").textContent = "decoding";
const packed = (id) => ({ text: element(id).textContent, bytes: Number(element(id).dataset.bytes) });
const index = element("weights").dataset.index;
worker.postMessage({
  kind: element("file").dataset.kind,
  file: packed("file"),
  weights: index && { ...packed("weights"), index: JSON.parse(index) },
});
for (const id of ["file", "weights", "decoder"]) element(id).remove(); // the worker has them

function fail(message) {
  element("progress").textContent = "";
  element("error").textContent = `This picture cannot be shown: ${message}`;
  root.dataset.state = "failed";
}

function resize(width, height) {
  Object.assign(picture, { width, height });
  for (let top = 0; top < height; top += SIDE) {
    for (let left = 0; left < width; left += SIDE) {
      const canvas = document.createElement("canvas");
      canvas.width = Math.min(SIDE, width - left);
      canvas.height = Math.min(SIDE, height - top);
      picture.tiles.push({ left, top, canvas, context: canvas.getContext("2d") });
    }
  }
  fit();
}

function putLines({ top, bottom, bytes }) {
  const image = new ImageData(bytes, picture.width, bottom - top);
  for (const tile of picture.tiles) tile.context.putImageData(image, -tile.left, top - tile.top);
  isStale ||= requestAnimationFrame(() => draw());
}

async function putPng(blob) {
  kept = blob;
  const bitmap = await createImageBitmap(blob);
  if (!picture.width) resize(bitmap.width, bitmap.height);
  for (const tile of picture.tiles) tile.context.drawImage(bitmap, -tile.left, -tile.top);
  draw();
}

function save(blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${picture.name}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// What is seen through transparent pixels: squares of two light greys.
const backdrop = document.createElement("canvas");
backdrop.width = backdrop.height = 16;
for (const [colour, x, y] of [["#eee", 0, 0], ["#ccc", 8, 0], ["#eee", 8, 8], ["#ccc", 0, 8]]) {
  const squares = backdrop.getContext("2d");
  squares.fillStyle = colour;
  squares.fillRect(x, y, 8, 8);
}

// A window at a finer scale, drawn over the pixels until another one takes its place.
function putWindow({ octave, top, left, height, width, bytes }) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(new ImageData(bytes, width, height), 0, 0);
  picture.window = { left: left / 2 ** octave, top: top / 2 ** octave, octave, canvas };
  draw(false);
}

function draw(isNew = true) {
  isStale = 0;
  const ratio = window.devicePixelRatio;
  const [width, height] = [view.clientWidth, view.clientHeight].map((side) => Math.round(side * ratio));
  if (view.width !== width || view.height !== height) Object.assign(view, { width, height });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.fillStyle = context.createPattern(backdrop, "repeat");
  const left = width / 2 - x * scale, top = height / 2 - y * scale;
  // edges of neighbours on the same whole pixel, so that nothing shows between them
  const place = (image, from, above, size) => {
    const [a, b] = [Math.round(left + from * scale), Math.round(top + above * scale)];
    const across = Math.round(left + (from + image.width / size) * scale) - a;
    const down = Math.round(top + (above + image.height / size) * scale) - b;
    context.fillRect(a, b, across, down);
    context.drawImage(image, a, b, across, down);
  };
  for (const tile of picture.tiles) place(tile.canvas, tile.left, tile.top, 1);
  const finer = picture.window;
  if (finer && scale > 1) place(finer.canvas, finer.left, finer.top, 2 ** finer.octave);
  const shown = scale < 10 ? scale.toFixed(scale < 1 ? 2 : 1) : Math.round(scale);
  element("magnification").textContent = `${shown}x${scale > 1 ? INTERPOLATED : ""}`;
  if (isNew) {
    clearTimeout(timer);
    if (picture.finer && scale > 1) timer = setTimeout(() => refine(width, height), SETTLED);
  }
}

// Ask for what is shown at the next octave.
function refine(width, height) {
  const octave = Math.min(Math.ceil(Math.log2(scale)), DEEPEST), size = 2 ** octave;
  const [left, right] = visible(x, width, picture.width), [top, bottom] = visible(y, height, picture.height);
  if (right <= left || bottom <= top) return;
  const wanted = { top: top * size, left: left * size, height: (bottom - top) * size, width: (right - left) * size };
  worker.postMessage({ window: { octave, ...wanted } });
}

// The first pixel that is shown, and the one behind the last one.
function visible(centre, length, side) {
  const half = length / 2 / scale;
  return [Math.max(0, Math.floor(centre - half)), Math.min(side, Math.ceil(centre + half))];
}

function fittingScale() {
  const ratio = window.devicePixelRatio;
  return Math.min((view.clientWidth * ratio) / picture.width, (view.clientHeight * ratio) / picture.height, 1);
}

function fit() {
  isFitted = true;
  scale = fittingScale();
  [x, y] = [picture.width / 2, picture.height / 2];
  draw();
}

function move(right, down) {
  isFitted = false;
  x = Math.max(0, Math.min(picture.width, x + right / scale));
  y = Math.max(0, Math.min(picture.height, y + down / scale));
  draw();
}

// Zoom by a factor about a point of the view, in CSS pixels; about its centre without one.
function zoom(factor, clientX, clientY) {
  const box = view.getBoundingClientRect(), ratio = window.devicePixelRatio;
  const right = clientX === undefined ? 0 : (clientX - box.left - box.width / 2) * ratio;
  const down = clientY === undefined ? 0 : (clientY - box.top - box.height / 2) * ratio;
  const next = Math.max(Math.min(fittingScale(), 1) / 2, Math.min(LARGEST, scale * factor));
  x += right / scale - right / next;
  y += down / scale - down / next;
  scale = next;
  move(0, 0);
}

view.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(STEP ** (-event.deltaY / (event.deltaMode ? 3 : 100)), event.clientX, event.clientY);
}, { passive: false });

const fingers = new Map();
view.addEventListener("pointerdown", (event) => {
  view.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, event);
});
view.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId), ratio = window.devicePixelRatio;
  if (!before) return;
  const other = [...fingers.values()].find((one) => one.pointerId !== event.pointerId);
  if (other) {
    const distance = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    zoom(distance(event) / distance(before), other.clientX, other.clientY);
  } else move((before.clientX - event.clientX) * ratio, (before.clientY - event.clientY) * ratio);
  fingers.set(event.pointerId, event);
});
for (const name of ["pointerup", "pointercancel"]) {
  view.addEventListener(name, (event) => fingers.delete(event.pointerId));
}
view.addEventListener("dblclick", (event) => zoom(2, event.clientX, event.clientY));

const KEYS = {
  "+": () => zoom(STEP),
  "=": () => zoom(STEP),
  "-": () => zoom(1 / STEP),
  0: fit,
  1: () => zoom(1 / scale),
  ArrowLeft: () => move(-64, 0),
  ArrowRight: () => move(64, 0),
  ArrowUp: () => move(0, -64),
  ArrowDown: () => move(0, 64),
};
addEventListener("keydown", (event) => {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  KEYS[event.key]();
});
element("in").onclick = () => zoom(STEP);
element("out").onclick = () => zoom(1 / STEP);
element("fit").onclick = fit;
element("save").onclick = () => (kept ? save(kept) : worker.postMessage({ png: true }));
addEventListener("resize", () => (isFitted ? fit() : draw()));
