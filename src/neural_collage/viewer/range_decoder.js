// The range decoder of docs/format.md, and numbers of its symbols.
//
// Offset and range have 64 bits and are held as two halves of 32. All products are of at most 44
// bits, all sums below 2^53: doubles hold them exactly.

const TWO_20 = 2 ** 20, TWO_24 = 2 ** 24, TWO_32 = 2 ** 32;

class DamagedFile extends Error {}

function damaged(what) {
  return new DamagedFile(`the file is damaged: ${what}`);
}

// Reads bytes from the front.
class ByteReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.position = 0;
  }

  take(count) {
    const end = this.position + count;
    if (end > this.bytes.length) throw damaged("it breaks off");
    const taken = this.bytes.subarray(this.position, end);
    this.position = end;
    return taken;
  }

  varint() {
    let value = 0;
    for (let place = 0; place < 9; place++) {
      const [byte] = this.take(1);
      if (place > 0 && byte === 0) break;
      value += (byte & 127) * 2 ** (7 * place);
      if (value > Number.MAX_SAFE_INTEGER) break;
      if (byte < 128) return value;
    }
    throw damaged("no number where one should be");
  }

  rest() {
    return this.take(this.bytes.length - this.position);
  }
}

// Where the shares of symbols start, in 2^-24, given their counts; 2^24 follows. Single precision.
function sharesOf(counts) {
  const n = counts.length, starts = new Int32Array(n + 1);
  let total = 0;
  for (const count of counts) total = Math.fround(total + count);
  const factor = Math.fround((TWO_24 - n) / total);
  let before = 0;
  for (let i = 0; i < n; i++) {
    starts[i] = i + Math.floor(Math.fround(before * factor));
    before = Math.fround(before + counts[i]);
  }
  starts[n] = TWO_24;
  return starts;
}

// n adaptive tables of the same counts.
function adaptiveTables(rows) {
  return rows.map((counts) => Float64Array.from(counts));
}

class SymbolDecoder {
  constructor(stream) {
    const padded = new Uint8Array(4 * Math.ceil(stream.length / 4));
    padded.set(stream);
    const view = new DataView(padded.buffer);
    this.words = Uint32Array.from({ length: padded.length / 4 }, (_, i) => view.getUint32(4 * i, true));
    this.endsWithZero = stream.length > 0 && stream[stream.length - 1] === 0;
    this.taken = 0;
    this.high = this.word();
    this.low = this.word();
    this.rangeHigh = this.rangeLow = TWO_32 - 1;
    this.unit = this.rest = 0;
  }

  word() {
    return this.taken < this.words.length ? this.words[this.taken++] : (this.taken++, 0);
  }

  // offset // unit, with the remainder in `rest`. The quotient in doubles is off by one at most.
  position() {
    const unit = (this.unit = this.rangeHigh * 256 + (this.rangeLow >>> 24));
    let quotient = Math.floor((this.high * TWO_32 + this.low) / unit);
    const upper = Math.floor(unit / TWO_20), product = upper * quotient;
    const shifted = Math.floor(product / 4096);
    let rest = (this.high - shifted) * TWO_32 + (this.low - (product - shifted * 4096) * TWO_20);
    rest -= (unit - upper * TWO_20) * quotient;
    if (rest < 0) {
      quotient--;
      rest += unit;
    } else if (rest >= unit) {
      quotient++;
      rest -= unit;
    }
    if (quotient >= TWO_24) throw damaged("no symbol of a stream");
    this.rest = rest;
    return quotient;
  }

  // Take the symbol at `position`, whose share starts so many units before it.
  take(before, share) {
    const upper = Math.floor(this.unit / TWO_20), lower = this.unit - upper * TWO_20;
    let product = upper * before, shifted = Math.floor(product / 4096);
    let low = (product - shifted * 4096) * TWO_20 + lower * before + this.rest;
    let carry = Math.floor(low / TWO_32);
    this.high = shifted + carry;
    this.low = low - carry * TWO_32;
    product = upper * share;
    shifted = Math.floor(product / 4096);
    low = (product - shifted * 4096) * TWO_20 + lower * share;
    carry = Math.floor(low / TWO_32);
    this.rangeHigh = shifted + carry;
    this.rangeLow = low - carry * TWO_32;
    if (this.rangeHigh === 0) {
      this.rangeHigh = this.rangeLow;
      this.rangeLow = 0;
      this.high = this.low;
      this.low = this.word();
    }
  }

  symbol(starts) {
    const position = this.position();
    let first = 0, last = starts.length - 1;
    while (last - first > 1) {
      const middle = (first + last) >> 1;
      if (starts[middle] <= position) first = middle;
      else last = middle;
    }
    this.take(position - starts[first], starts[first + 1] - starts[first]);
    return first;
  }

  // One of so many equally likely symbols.
  uniform(size) {
    if (size < 1) throw damaged("a choice among nothing");
    if (size === 1) return 0;
    const share = Math.floor(TWO_24 / size), position = this.position();
    const symbol = Math.min(Math.floor(position / share), size - 1);
    const isLast = symbol === size - 1;
    this.take(position - symbol * share, isLast ? TWO_24 - symbol * share : share);
    return symbol;
  }

  // A bit that is one with this probability, in 2^-16.
  bit(ones) {
    const start = 1 + Math.floor(Math.fround((65536 - ones) * ((TWO_24 - 2) / 65536)));
    const position = this.position();
    if (position < start) {
      this.take(position, start);
      return 0;
    }
    this.take(position - start, TWO_24 - start);
    return 1;
  }

  // Symbols of adaptive tables, given the table of each; tables change between runs of symbols.
  adaptive(tables, contexts) {
    const found = [];
    for (let first = 0, length = 128; first < contexts.length; first += length, length = Math.min(2 * length, 4096)) {
      const run = contexts.slice(first, first + length);
      const shares = new Map();
      for (const context of run) {
        if (!shares.has(context)) shares.set(context, sharesOf(tables[context]));
        found.push(this.symbol(shares.get(context)));
      }
      run.forEach((context, i) => (tables[context][found[first + i]] += 32));
    }
    return found;
  }

  // A whole number without a limit of its own.
  number() {
    const length = this.uniform(24);
    return 2 ** length - 1 + this.uniform(2 ** length);
  }

  // Numbers of fixed tables, given the index of the table of each; those of index 0 are 0.
  numbers(tables, indices) {
    const ends = new Int32Array(tables.length + 1);
    for (const index of indices) ends[index + 1]++;
    for (let i = 0; i < tables.length; i++) ends[i + 1] += ends[i];
    const order = new Int32Array(indices.length), values = new Int32Array(indices.length);
    const next = ends.slice();
    for (let i = 0; i < indices.length; i++) order[next[indices[i]]++] = i;
    const escaped = [];
    for (let index = 1; index < tables.length; index++) {
      const { first, starts } = tables[index], escape = starts.length - 2;
      for (let i = ends[index]; i < ends[index + 1]; i++) {
        const symbol = this.symbol(starts);
        if (symbol === escape) escaped.push(order[i]);
        else values[order[i]] = first + symbol;
      }
    }
    const lengths = escaped.map(() => this.uniform(24));
    escaped.forEach((place, i) => (values[place] = unfolded(2 ** lengths[i] + this.uniform(2 ** lengths[i]) - 1)));
    return values;
  }

  // Refuse a stream that does not end where its symbols do.
  finish() {
    const { words } = this;
    const lax = words.length > 1 && words[words.length - 1] !== 1;
    const ends = this.taken > words.length && this.high < (lax ? 2 : 1) && !this.endsWithZero;
    if (!ends) throw damaged("bytes behind the end of a stream");
  }
}

// 0, 1, 2, 3 ... to 0, -1, 1, -2 ...
function unfolded(number) {
  return number % 2 ? -(number + 1) / 2 : number / 2;
}

// The first number and the shares of a table of counts of -limit..limit and of escapes.
function fixedTable(counts) {
  const limit = counts.length / 2 - 1;
  let low = 0, high = counts.length - 2;
  while (low <= high && counts[low] === 0) low++;
  if (low > high) [low, high] = [limit, limit - 1];
  while (high > low && counts[high] === 0) high--;
  const coded = Array.from(counts.subarray(low, high + 1), (count) => Math.max(count, 1));
  coded.push(counts[counts.length - 1]);
  return { first: low - limit, starts: sharesOf(coded.length > 1 ? coded : [1, 1]) };
}
