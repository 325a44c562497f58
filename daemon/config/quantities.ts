/** Sizes, rates, times and addresses as people write them in a configuration. */

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
const BIT_UNITS: Readonly<Record<string, number>> = {
  bit: 1 / 8,
  kbit: 1e3 / 8,
  Mbit: 1e6 / 8,
  Gbit: 1e9 / 8,
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

/** Bytes per second of `"1 Mbit/s"`; undefined when the text is no rate. */
export function parseRate(text: string): number | undefined {
  const [, amount, unit] = /^(.{1,20}?) ?([kMG]?bit|[kM]B|[KM]iB)\/s$/.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return parseQuantity(`${amount} ${unit}`, { ...SIZE_UNITS, ...BIT_UNITS });
}

/** Minutes after midnight of `"22:00-07:00"`; undefined when the text names no hours. */
export function parseHours(text: string): { from: number; to: number } | undefined {
  const numbers = /^(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(text)?.slice(1).map(Number) ?? [];
  const [fromHour = 24, fromMinute = 60, toHour = 25, toMinute = 60] = numbers;
  if (fromMinute > 59 || toMinute > 59) return undefined;
  const from = fromHour * 60 + fromMinute;
  const to = toHour * 60 + toMinute;
  const isDay = from < 24 * 60 && to <= 24 * 60 && from !== to;
  return isDay ? { from, to: to === 0 ? 24 * 60 : to } : undefined;
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
