/** Sizes, times and addresses as people write them in a configuration. */

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};
const TIME_UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  days: 86_400_000,
};

/** Bytes of `"500 GiB"`; undefined when the text is no size. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZE_UNITS);
}

/** Milliseconds of `"24h"` or `"180 days"`; undefined when the text is no time. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, TIME_UNITS);
}

/** Whole numbers and decimals, one unit, a blank between them if you like. */
function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, amount, unit] = /^(\d{1,12}(?:\.\d{1,6})?) ?([A-Za-z]{1,4})$/.exec(text) ?? [];
  const factor = unit === undefined || !Object.hasOwn(units, unit) ? undefined : units[unit];
  if (amount === undefined || factor === undefined) return undefined;
  const value = Math.round(Number(amount) * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}

export interface SocketAddress {
  /** An IPv4 or IPv6 address, or a host name where one is allowed; without brackets. */
  readonly address: string;
  /** 0 to 65535; 0 lets the system choose. */
  readonly port: number;
}

/** `"192.0.2.1:53"` or `"[2001:db8::1]:53"`; undefined when the text is neither. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const [, v6, other, digits] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = v6 ?? other;
  const port = Number(digits);
  if (address === undefined || port > 65_535) return undefined;
  return { address, port };
}
