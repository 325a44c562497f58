/**
 * EDNS: what an asker says about itself beside its question, and what we say back.
 *
 * Options that we do not know are ignored and not repeated, flags but DO are cleared.
 * Source: RFC 6891, RFC 8906 section 8.2.
 */
import { CLIENT_COOKIE_BYTES, MAX_COOKIE_BYTES } from "../../protocol/dns/server-cookie.ts";

/** RFC 6891 section 6.2.3: less is treated as this. */
export const MIN_UDP_BYTES = 512;
/** What we say we receive, and the most that we send over UDP (RFC 9715: no fragments). */
export const UDP_BYTES = 1232;
/** An OPT record without options: the root, type, class, TTL, length. */
export const OPT_BYTES = 11;

/** IANA registry "DNS EDNS0 Option Codes (OPT)". */
export const OPTION = { NSID: 3, EXPIRE: 9, COOKIE: 10, KEEPALIVE: 11, ERROR: 15 } as const;

/** RFC 8914 section 4: why a question is refused. */
export const EXTENDED_ERROR = { PROHIBITED: 18, NOT_AUTHORITATIVE: 20, NOT_SUPPORTED: 21 } as const;

export interface Edns {
  readonly version: number;
  /** What the sender can receive over UDP, at least 512. */
  readonly udpBytes: number;
  /** DNSSEC OK (RFC 3225), which is copied. */
  readonly dnssecOk: boolean;
  /** Asks who answers (RFC 5001). */
  readonly nsid: boolean;
  /** Asks how long a connection may be idle (RFC 7828). */
  readonly keepalive: boolean;
  /** Asks how long a secondary may go on with the zone (RFC 7314). */
  readonly expire: boolean;
  /** 8 bytes of the asker's, or these and 8 to 32 of a server's; a view into the packet. */
  readonly cookie: Uint8Array | undefined;
}

/**
 * @param at - Where the type of the OPT record stands.
 * @param end - Where the record ends.
 * @returns Undefined when an option is not whole, or a cookie has a size that none has.
 */
export function readEdns(packet: Uint8Array, at: number, end: number): Edns | undefined {
  let nsid = false;
  let keepalive = false;
  let expire = false;
  let cookie: Uint8Array | undefined;
  const version = packet[at + 5] ?? 0;
  // What follows in another version is not ours to read.
  for (let option = version === 0 ? at + 10 : end; option < end;) {
    if (option + 4 > end) return undefined;
    const code = readU16(packet, option);
    const start = option + 4;
    option = start + readU16(packet, option + 2);
    if (option > end) return undefined;
    if (code === OPTION.NSID) nsid = true;
    else if (code === OPTION.KEEPALIVE) keepalive = true;
    else if (code === OPTION.EXPIRE) expire = true;
    // RFC 7873 section 5.2: of several the first counts.
    else if (code === OPTION.COOKIE && cookie === undefined) {
      cookie = packet.subarray(start, option);
      if (!isCookieSize(cookie.length)) return undefined;
    }
  }
  return {
    udpBytes: Math.max(MIN_UDP_BYTES, readU16(packet, at + 2)),
    version,
    dnssecOk: ((packet[at + 6] ?? 0) & 0x80) !== 0,
    nsid,
    keepalive,
    expire,
    cookie,
  };
}

/** RFC 7873 section 5.2.2: "8 bytes, or 16 to 40"; of any other size FORMERR. */
function isCookieSize(sizeBytes: number): boolean {
  return (
    sizeBytes === CLIENT_COOKIE_BYTES ||
    (sizeBytes >= 2 * CLIENT_COOKIE_BYTES && sizeBytes <= MAX_COOKIE_BYTES)
  );
}

/** Collects the options of one answer after another, without allocating. */
export class OptionWriter {
  /** The longest: NSID of 255 bytes, a cookie, an error, a time-out, an expiry. */
  readonly #bytes = new Uint8Array(512);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A view that the next answer overwrites. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  clear(): void {
    this.#size = 0;
  }

  /** @param parts - Together the data of the option. */
  add(code: number, ...parts: readonly Uint8Array[]): void {
    const head = this.#size;
    this.#size += 4;
    for (const part of parts) {
      this.#bytes.set(part, this.#size);
      this.#size += part.length;
    }
    this.#u16(head, code);
    this.#u16(head + 2, this.#size - head - 4);
  }

  addNumber(code: number, value: number): void {
    this.add(code, Uint8Array.of(value >> 8, value & 255));
  }

  #u16(at: number, value: number): void {
    this.#bytes[at] = value >> 8;
    this.#bytes[at + 1] = value & 255;
  }
}

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
