/**
 * Presence: a node's signed, unstored word about itself, on `/pleach/presence/1`.
 *
 * A frame is `{v, body, signature}`; the signature of the site key covers the body with the domain
 * `pleach/presence/1`. The boot id tells one start from the next; the counter rises by one with each
 * word and begins anywhere, so that an echo of it proves a word that was heard lately.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import { PleachError } from "../error.ts";
import { fromHex, idBytes, toHex, type MeshId, type SiteId } from "../ids.ts";
import { sign, verify, type SigningKey } from "../keys/signature.ts";
import { bytesField, countField, idField } from "../encoding/wire-field.ts";

/** A longer frame is refused before it is decoded. */
export const MAX_PRESENCE_BYTES = 1024;
/** Echoes that find room; a mesh beyond 50 sites links each to eight others only. */
export const MAX_ECHOES = 64;

const PRESENCE_DOMAIN = "pleach/presence/1";
/** Counters have 31 bits, so that one is left in an echo. */
export const MAX_COUNTER = 2 ** 31 - 1;
/** Four bytes of a site and four of a counter, whose highest bit says `direct`. */
const ECHO_BYTES = 8;
const DIRECT_BIT = 2 ** 31;

export class PresenceError extends PleachError<"E-PRESENCE-FORM" | "E-PRESENCE-SIZE"> {}

/** A counter that the sender heard from a site; the site is named by its first four bytes. */
export interface Echo {
  readonly sitePrefix: string;
  readonly counter: number;
  /** Heard over a link of the sender's own, not by way of another site. */
  readonly direct: boolean;
}

export interface Presence {
  readonly mesh: MeshId;
  readonly site: SiteId;
  /** 16 random bytes in hexadecimal, new at each start. */
  readonly bootId: string;
  /** Integer up to {@link MAX_COUNTER}, one more with each word of this boot. */
  readonly counter: number;
  /** Whom the sender heard lately. */
  readonly heard: readonly Echo[];
  /** Digest of the heads of all logs that the sender holds. */
  readonly stateDigest: string;
  /** Of the daemon, for example `0.1.0`. */
  readonly version: string;
  /** SOA serials of the zones that found room. */
  readonly zoneSerials?: Readonly<Record<string, number>> | undefined;
}

/** SOA serials have 32 bits (RFC 1035 section 3.3.13). */
const MAX_SERIAL = 2 ** 32 - 1;

const frameSchema = z.object({
  v: z.literal(1),
  body: bytesField(1, MAX_PRESENCE_BYTES),
  signature: bytesField(64, 64),
});

const counter = countField(0, MAX_COUNTER);

const bodySchema = z.object({
  v: z.literal(1),
  mesh: idField<MeshId>(),
  site: idField<SiteId>(),
  boot: bytesField(16, 16),
  counter,
  heard: bytesField(0, MAX_ECHOES * ECHO_BYTES).refine((value) => value.length % ECHO_BYTES === 0),
  state: bytesField(32, 32),
  version: z.string().min(1).max(32),
  zones: z.record(z.string().max(255), countField(0, MAX_SERIAL)).optional(),
});

/**
 * The signed frame of a word. Zones are left out, last names first, where it would be too long.
 *
 * @throws PresenceError when it is too long without any zone.
 */
export function encodePresence(presence: Presence, key: SigningKey): Uint8Array {
  const zones = Object.entries(presence.zoneSerials ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (;;) {
    const frame = encodeWith(presence, zones, key);
    if (frame.length <= MAX_PRESENCE_BYTES) return frame;
    if (zones.length === 0) {
      throw new PresenceError("E-PRESENCE-SIZE", `The presence would take ${frame.length} bytes.`);
    }
    zones.splice(Math.floor(zones.length * 0.75));
  }
}

function encodeWith(
  presence: Presence,
  zones: readonly (readonly [string, number])[],
  key: SigningKey,
): Uint8Array {
  const body: Record<string, CborValue> = {
    v: 1,
    mesh: idBytes(presence.mesh),
    site: idBytes(presence.site),
    boot: fromHex(presence.bootId),
    counter: presence.counter,
    heard: packEchoes(presence.heard),
    state: fromHex(presence.stateDigest),
    version: presence.version.slice(0, 32),
  };
  if (zones.length > 0) body["zones"] = Object.fromEntries(zones);
  const signed = encodeCbor(body);
  return encodeCbor({ v: 1, body: signed, signature: sign(key, PRESENCE_DOMAIN, signed) });
}

/**
 * What a frame says, once its signature by the site that it names is checked.
 *
 * @throws PresenceError for anything else.
 */
export function decodePresence(frame: Uint8Array): Presence {
  try {
    const { body, signature } = frameSchema.parse(decodeCbor(frame, MAX_PRESENCE_BYTES));
    const word = bodySchema.parse(decodeCbor(body, MAX_PRESENCE_BYTES));
    if (!verify(idBytes(word.site), PRESENCE_DOMAIN, body, signature))
      throw new RangeError("signature");
    return {
      mesh: word.mesh,
      site: word.site,
      bootId: toHex(word.boot),
      counter: word.counter,
      heard: unpackEchoes(word.heard),
      stateDigest: toHex(word.state),
      version: word.version,
      zoneSerials: word.zones,
    };
  } catch (cause) {
    throw new PresenceError("E-PRESENCE-FORM", "The frame is no sound presence.", { cause });
  }
}

/** How an echo names a site. Of two sites that share it, neither is taken to be echoed. */
export function echoPrefix(site: SiteId): string {
  return site.slice(0, 8);
}

function packEchoes(heard: readonly Echo[]): Uint8Array {
  const packed = new Uint8Array(Math.min(heard.length, MAX_ECHOES) * ECHO_BYTES);
  const numbers = new DataView(packed.buffer);
  for (const [index, echo] of heard.slice(0, MAX_ECHOES).entries()) {
    packed.set(fromHex(echo.sitePrefix), index * ECHO_BYTES);
    numbers.setUint32(index * ECHO_BYTES + 4, echo.counter + (echo.direct ? DIRECT_BIT : 0));
  }
  return packed;
}

function unpackEchoes(packed: Uint8Array): Echo[] {
  const numbers = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  return Array.from({ length: packed.length / ECHO_BYTES }, (_, index) => {
    const word = numbers.getUint32(index * ECHO_BYTES + 4);
    const direct = word >= DIRECT_BIT;
    const sitePrefix = toHex(packed.subarray(index * ECHO_BYTES, index * ECHO_BYTES + 4));
    return { sitePrefix, counter: direct ? word - DIRECT_BIT : word, direct };
  });
}
