/**
 * Places on earth in LOC records.
 *
 * Source: RFC 1876 sections 2 and 3.
 */
import { DnsValueError } from "./dns-error.ts";

const VERSION = 0;
/** Thousandths of an arc second; the equator and the prime meridian. */
const MIDDLE = 2 ** 31;
const DEGREE = 3_600_000;
/** Altitudes count in centimetres from 100 km below the WGS 84 spheroid. */
const BELOW_CM = 10_000_000;
/** RFC 1876 section 3: size 1 m, horizontal precision 10 km, vertical precision 10 m. */
const DEFAULT_CM = [100, 1_000_000, 1000] as const;

/**
 * @param words - `d1 [m1 [s1]] N|S d2 [m2 [s2]] E|W altitude [size [horizontal [vertical]]]`.
 * @throws DnsValueError (E-DNS-VALUE) that says which part is wrong.
 */
export function parseLoc(words: readonly string[]): Uint8Array {
  const latitude = readAngle(words, 0, "latitude", 90, "N", "S");
  const longitude = readAngle(words, latitude.next, "longitude", 180, "E", "W");
  const [altitude, ...sizes] = words.slice(longitude.next);
  if (altitude === undefined) throw refuse("the altitude is missing");
  const [extra] = sizes.slice(3);
  if (extra !== undefined) throw refuse(`"${extra}" follows the vertical precision`);
  const bytes = Buffer.alloc(16);
  bytes[0] = VERSION;
  for (const [index, none] of DEFAULT_CM.entries()) {
    const size = sizes[index];
    bytes[index + 1] = scaled(size === undefined ? none : centimetres(size, "size"));
  }
  bytes.writeUInt32BE(latitude.value, 4);
  bytes.writeUInt32BE(longitude.value, 8);
  const height = centimetres(altitude, "altitude") + BELOW_CM;
  if (height < 0 || height >= 2 ** 32) throw refuse(`the altitude ${altitude} is out of range`);
  bytes.writeUInt32BE(height, 12);
  return Uint8Array.from(bytes);
}

function readAngle(
  words: readonly string[],
  from: number,
  name: string,
  maxDegrees: number,
  plus: string,
  minus: string,
): { readonly value: number; readonly next: number } {
  const numbers: number[] = [];
  for (let at = from; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word.toUpperCase() === plus || word.toUpperCase() === minus) {
      const [degrees = -1, minutes = 0, seconds = 0] = numbers;
      const angle = degrees * DEGREE + minutes * 60_000 + Math.round(seconds * 1000);
      const sound = degrees >= 0 && minutes < 60 && seconds < 60 && angle <= maxDegrees * DEGREE;
      if (!sound) throw refuse(`the ${name} is not within ${maxDegrees} degrees`);
      return { value: MIDDLE + (word.toUpperCase() === plus ? angle : -angle), next: at + 1 };
    }
    const form = numbers.length === 2 ? /^\d{1,2}(?:\.\d{1,3})?$/ : /^\d{1,3}$/;
    if (numbers.length === 3 || !form.test(word)) {
      throw refuse(`"${word}" stands where the ${name} ends with ${plus} or ${minus}`);
    }
    numbers.push(Number(word));
  }
  throw refuse(`the ${name} has no ${plus} or ${minus}`);
}

function centimetres(word: string, name: string): number {
  const digits = /^(-?\d{1,8}(?:\.\d{1,2})?)m?$/i.exec(word)?.[1];
  if (digits === undefined) throw refuse(`"${word}" is no ${name} in metres`);
  const value = Math.round(Number(digits) * 100);
  if (name === "size" && (value < 0 || value > 9e9)) throw refuse(`the size ${word} is too large`);
  return value;
}

/** RFC 1876 section 2: a digit, and the power of ten by which it is multiplied. */
function scaled(cm: number): number {
  let power = 0;
  let digit = cm;
  for (; digit >= 10; power++) digit = Math.floor(digit / 10);
  return (digit << 4) | power;
}

/** Text that parses back to the same bytes; undefined for bytes that are no place. */
export function formatLoc(bytes: Uint8Array): string | undefined {
  if (bytes.length !== 16 || bytes[0] !== VERSION) return undefined;
  const view = Buffer.from(bytes);
  const sizes = [...bytes.subarray(1, 4)];
  // A digit above 9, or a digit 0 with a power: no text stands for it.
  if (sizes.some((size) => size >> 4 > 9 || (size & 15) > 9 || (size < 16 && size > 0))) {
    return undefined;
  }
  const latitude = view.readUInt32BE(4) - MIDDLE;
  const longitude = view.readUInt32BE(8) - MIDDLE;
  if (Math.abs(latitude) > 90 * DEGREE || Math.abs(longitude) > 180 * DEGREE) return undefined;
  return [
    formatAngle(latitude, "N", "S"),
    formatAngle(longitude, "E", "W"),
    formatMetres(view.readUInt32BE(12) - BELOW_CM),
    ...sizes.map((size) => formatMetres((size >> 4) * 10 ** (size & 15))),
  ].join(" ");
}

function formatAngle(value: number, plus: string, minus: string): string {
  const size = Math.abs(value);
  const seconds = ((size % 60_000) / 1000).toFixed(3);
  const minutes = Math.floor(size / 60_000) % 60;
  return `${Math.floor(size / DEGREE)} ${minutes} ${seconds} ${value < 0 ? minus : plus}`;
}

function formatMetres(cm: number): string {
  return `${(cm / 100).toFixed(2)}m`;
}

function refuse(reason: string): DnsValueError {
  return new DnsValueError("E-DNS-VALUE", `This is no place on earth (${reason}).`, {
    hint: "It looks like: 48 0 20 N 4 6 0 W 30m",
  });
}
