/**
 * Times to live and other spans of seconds: `300`, `1h30m`.
 *
 * Source: RFC 2181 section 8 for the range; the units are the common ones of zone files.
 */
import { DnsValueError } from "./dns-error.ts";

/** RFC 2181 section 8: "the maximum is 2^31 - 1". */
export const MAX_TTL_SECONDS = 2 ** 31 - 1;

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
};

/** @throws DnsValueError (E-DNS-TTL). */
export function parseSeconds(text: string): number {
  if (!/^(?:[0-9]{1,10}|(?:[0-9]{1,10}[smhdw])+)$/i.test(text)) {
    throw new DnsValueError("E-DNS-TTL", `"${text}" is not a number of seconds.`, {
      hint: "Write seconds, or units: 300, 5m, 1h30m, 1d",
    });
  }
  let seconds = 0;
  for (const [, digits, unit] of text.matchAll(/([0-9]+)([smhdw]?)/gi)) {
    seconds += Number(digits) * (UNIT_SECONDS[(unit ?? "").toLowerCase()] ?? 1);
  }
  if (seconds > MAX_TTL_SECONDS) {
    throw new DnsValueError("E-DNS-TTL", `"${text}" is too long (at most ${MAX_TTL_SECONDS} s).`);
  }
  return seconds;
}
