/**
 * SipHash-2-4: a short keyed hash that is fast for short input.
 *
 * JavaScript has no fast 64-bit integers, so each word is two halves of 32 bits.
 * Source: Aumasson, Bernstein: SipHash: a fast short-input PRF. INDOCRYPT 2012.
 */

/** v0 to v3, each the low half before the high one. */
const state = new Int32Array(8);

/**
 * @param key - 16 bytes.
 * @returns 8 bytes, the least significant first, as the paper prints them.
 */
export function sipHash24(key: Uint8Array, data: Uint8Array): Uint8Array {
  start(key);
  const whole = data.length - (data.length % 8);
  for (let at = 0; at < whole; at += 8) absorb(readInt32(data, at), readInt32(data, at + 4));
  // The last word ends with the number of bytes.
  const rest = new Uint8Array(8);
  rest.set(data.subarray(whole));
  rest[7] = data.length & 255;
  absorb(readInt32(rest, 0), readInt32(rest, 4));
  state[4] = (state[4] ?? 0) ^ 0xff;
  for (let round = 0; round < 4; round++) sipRound();
  const hash = new Uint8Array(8);
  for (let half = 0; half < 2; half++) {
    let word = 0;
    for (let index = half; index < 8; index += 2) word ^= state[index] ?? 0;
    for (let byte = 0; byte < 4; byte++) hash[half * 4 + byte] = (word >>> (8 * byte)) & 255;
  }
  return hash;
}

/** "somepseudorandomlygeneratedbytes" of the paper, mixed with the key. */
function start(key: Uint8Array): void {
  const [k0, k1, k2, k3] = [0, 4, 8, 12].map((at) => readInt32(key, at));
  state[0] = 0x70736575 ^ (k0 ?? 0);
  state[1] = 0x736f6d65 ^ (k1 ?? 0);
  state[2] = 0x6e646f6d ^ (k2 ?? 0);
  state[3] = 0x646f7261 ^ (k3 ?? 0);
  state[4] = 0x6e657261 ^ (k0 ?? 0);
  state[5] = 0x6c796765 ^ (k1 ?? 0);
  state[6] = 0x79746573 ^ (k2 ?? 0);
  state[7] = 0x74656462 ^ (k3 ?? 0);
}

function absorb(low: number, high: number): void {
  state[6] = (state[6] ?? 0) ^ low;
  state[7] = (state[7] ?? 0) ^ high;
  sipRound();
  sipRound();
  state[0] = (state[0] ?? 0) ^ low;
  state[1] = (state[1] ?? 0) ^ high;
}

function sipRound(): void {
  mix(0, 2, 13);
  swap(0);
  mix(4, 6, 16);
  mix(0, 6, 21);
  mix(4, 2, 17);
  swap(4);
}

/** a += b; b = rotate(b, bits) ^ a, for the words that start at these places of the state. */
function mix(a: number, b: number, bits: number): void {
  const bLow = state[b] ?? 0;
  const bHigh = state[b + 1] ?? 0;
  const low = ((state[a] ?? 0) >>> 0) + (bLow >>> 0);
  const high = (state[a + 1] ?? 0) + bHigh + (low > 0xffff_ffff ? 1 : 0);
  state[a] = low;
  state[a + 1] = high;
  state[b] = ((bLow << bits) | (bHigh >>> (32 - bits))) ^ low;
  state[b + 1] = ((bHigh << bits) | (bLow >>> (32 - bits))) ^ high;
}

/** Rotates a word by 32 bits. */
function swap(at: number): void {
  const low = state[at] ?? 0;
  state[at] = state[at + 1] ?? 0;
  state[at + 1] = low;
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}
