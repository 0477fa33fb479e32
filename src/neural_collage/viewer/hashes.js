// Hashes of docs/format.md, whole numbers modulo 2^64 in two halves; and probabilities of bits.

const FACTOR = [0x9e3779b9, 0x7f4a7c15], FINISH = [0xbf58476d, 0x1ce4e5b9];

// The halves of the last result of `multiply`, `mix` and `end`.
let hashHigh = 0, hashLow = 0;

function multiply(high, low, [factorHigh, factorLow]) {
  const a = low >>> 16, b = low & 65535, c = factorLow >>> 16, d = factorLow & 65535;
  const middle = a * d + b * c + Math.floor((b * d) / 65536); // below 2^34
  const carried = a * c + Math.floor(middle / 65536);
  hashHigh = (carried + (Math.imul(high, factorLow) >>> 0) + (Math.imul(low, factorHigh) >>> 0)) >>> 0;
  hashLow = Math.imul(low, factorLow) >>> 0;
}

// H(a, n); n of either sign, below 2^53 - 2^32.
function mix(high, low, number) {
  const sum = low + number + 1, carry = Math.floor(sum / TWO_32);
  multiply((high + carry) >>> 0, (sum - carry * TWO_32) >>> 0, FACTOR);
  const shifted = ((hashHigh << 3) | (hashLow >>> 29)) >>> 0;
  hashLow = (hashLow ^ shifted) >>> 0;
  hashHigh = (hashHigh ^ (hashHigh >>> 29)) >>> 0;
}

function end(high, low) {
  multiply(high, low, FINISH);
}

// (hash + n) K: the highest bits of the hash of a question.
function asked(high, low, number) {
  const sum = low + number, carry = Math.floor(sum / TWO_32);
  multiply((high + carry) >>> 0, (sum - carry * TWO_32) >>> 0, FACTOR);
}

function squareRoot(number) {
  let root = 1n << BigInt((number.toString(16).length + 1) * 2);
  for (;;) {
    const next = (root + number / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

const bitLength = (number) => number.toString(2).length;

// floor(256 log2(10 n + 3)).
const LOGARITHMS = Int32Array.from({ length: 256 }, (_, n) => bitLength(BigInt(10 * n + 3) ** 256n) - 1);

const LARGEST_ODDS = 3840;

// The probability of a one in 2^-16, for odds from -LARGEST_ODDS on. Powers of two are irrational but
// for whole exponents, so that 128 bits of them, off by less than 2^-100, round down as they do.
const PROBABILITIES = (() => {
  let root = 2n << 128n; // at last 2^(1 / 256), in 2^-128
  for (let i = 0; i < 8; i++) root = squareRoot(root << 128n);
  const table = new Int32Array(2 * LARGEST_ODDS + 1), one = 1n << 32n;
  let power = 1n << 128n;
  for (let odds = 0; odds <= LARGEST_ODDS; odds++) {
    if (odds % 256 === 0) power = 1n << BigInt(128 + odds / 256);
    const whole = power >> 96n;
    const share = Number((whole << 16n) / (whole + one));
    table[LARGEST_ODDS + odds] = share;
    table[LARGEST_ODDS - odds] = 65536 - share;
    power = (power * root) >> 128n;
  }
  return table;
})();

// Reads bits, each with a hash for every context and a selector of weights.
//
// An odd is below 2^12, an error below 2^16, and a call has fewer than 2^21 bits: sums of products are
// below 2^49. Weights grow by less than 2^17 in a call, of which a map has fewer than 2^16: below 2^34.
class Mixer {
  constructor(decoder, limits, logSize, selectors) {
    Object.assign(this, { decoder, limits, logSize, shift: 32 - logSize });
    const n = limits.length, size = 2 ** logSize;
    this.zeros = new Int32Array(n * size);
    this.ones = new Int32Array(n * size);
    this.weights = new Float64Array(n * selectors).fill(14563);
    this.gradients = new Float64Array(n * selectors);
    this.uses = new Int32Array(selectors);
    this.clear();
  }

  clear() {
    this.cells = [];
    this.bits = [];
    this.selectors = [];
  }

  // Add the cell of the next context of a bit; the hash is the last result.
  use(context) {
    this.cells.push(context * 2 ** this.logSize + (hashHigh >>> this.shift));
  }

  // Read a bit whose cells have been given.
  read(selector) {
    const n = this.limits.length, first = this.cells.length - n, at = selector * n;
    let sum = 0;
    const odds = this.cells.slice(first).map((cell) => LOGARITHMS[this.ones[cell]] - LOGARITHMS[this.zeros[cell]]);
    for (let i = 0; i < n; i++) sum += this.weights[at + i] * odds[i];
    const limited = Math.max(-LARGEST_ODDS, Math.min(LARGEST_ODDS, Math.floor(sum / 65536)));
    const ones = PROBABILITIES[LARGEST_ODDS + limited], bit = this.decoder.bit(ones);
    const error = 65536 * bit - ones;
    for (let i = 0; i < n; i++) this.gradients[at + i] += odds[i] * error;
    if (this.uses[selector]++ === 0) this.selectors.push(selector);
    this.bits.push(bit);
    return bit;
  }

  // Learn the bits of a call.
  learn() {
    const n = this.limits.length, { zeros, ones } = this;
    for (const selector of this.selectors) {
      const divisor = Math.floor(this.uses[selector] / 8) + 1;
      for (let i = selector * n; i < (selector + 1) * n; i++) {
        this.weights[i] += Math.floor(Math.floor(this.gradients[i] / divisor) / 16384);
        this.gradients[i] = 0;
      }
      this.uses[selector] = 0;
    }
    this.cells.forEach((cell, i) => (this.bits[Math.floor(i / n)] ? ones : zeros)[cell]++);
    this.cells.forEach((cell, i) => {
      while (zeros[cell] + ones[cell] > this.limits[i % n]) {
        zeros[cell] = (zeros[cell] + 1) >> 1;
        ones[cell] = (ones[cell] + 1) >> 1;
      }
    });
    this.clear();
  }
}
