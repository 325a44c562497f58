/**
 * TSIG keys of a zone as they are replicated: what a key may do for all to see, its secret for those
 * sites only that need it.
 *
 * They stand in the class `zone` under the zone's name, so whoever may write the zone, and nobody
 * else, gives rights to it. Two kinds of records:
 *
 * - `ZONE/!key/NAME`: the algorithm, the rights, and a hash that a secret has to match;
 * - `ZONE/!key/NAME/SITE`: the secret, sealed to the box key of that site.
 *
 * The hash is over a secret of 16 bytes or more, so it tells nothing; it keeps a site from being
 * given another secret than the rest.
 */
import nacl from "tweetnacl";
import { z } from "zod";
import { idBytes, sha256, toHex, type SiteId } from "../ids.ts";
import { formatDnsName, lowerCase, parseDnsName, type DnsName } from "./dns-name.ts";
import { hexId } from "../logs/record.ts";
import { isNamePattern } from "./name-pattern.ts";
import { TSIG_ALGORITHMS } from "./tsig.ts";
import { zoneKeyPrefix, zoneText } from "./zone-record.ts";
import { ZONE_VIEWS, type ViewPlace } from "./zone-view.ts";

/** RFC 8945 section 8 asks for keys as long as the hash, and never below 128 bits. */
export const MIN_SECRET_BYTES = 16;
export const MAX_SECRET_BYTES = 64;
/** Scopes of one key. */
export const MAX_SCOPES = 32;
const MAX_SCOPE_TYPES = 32;
const NONCE_BYTES = 24;
const EPHEMERAL_BYTES = 32;
/** Random bytes for one sealed secret. */
export const SEAL_CHANCE_BYTES = NONCE_BYTES + EPHEMERAL_BYTES;

const scope = z.object({
  /** See name-pattern.ts; absolute, without its final dot. */
  names: z.string().min(1).max(1100).refine(isNamePattern),
  /** Mnemonics; empty for all types. */
  types: z.array(z.string().min(1).max(16)).max(MAX_SCOPE_TYPES),
});
export type KeyScope = z.output<typeof scope>;

/** Value of `ZONE/!key/NAME`. A key of an unknown view may do nothing. */
export const zoneKeyRecord = z
  .object({
    algorithm: z.enum(TSIG_ALGORITHMS),
    /** Hexadecimal; see {@link secretCheck}. */
    check: z.string().regex(/^[0-9a-f]{32}$/),
    /** Whether it may fetch the zone. */
    transfer: z.boolean(),
    /** What it may change; nothing when empty. */
    update: z.array(scope).max(MAX_SCOPES),
    /** What it sees of the zone, and whose records it changes; without it, the public's. */
    view: z.enum(ZONE_VIEWS).optional(),
    /** Of the view `lan`: it changes the records of this site only. */
    site: hexId<SiteId>().optional(),
  })
  .refine(({ view, site }) => site === undefined || view === "lan");
export type ZoneKeyRecord = z.output<typeof zoneKeyRecord>;

/** Whose records a key changes; what it sees is the view of it. */
export function placeOfKey({ view = "public", site }: ZoneKeyRecord): ViewPlace {
  return site === undefined ? { view } : { view, site };
}

/** Value of `ZONE/!key/NAME/SITE`: ephemeral key, nonce and box, in base64. */
export const sealedSecretRecord = z.object({ box: z.string().min(1).max(400) });

/** Whether a key of class `zone` is none of a DNS record. */
export function isZoneMeta(key: string): boolean {
  return key.includes("/!");
}

/** The start of the keys of all these records of a zone. */
export function zoneKeyPlace(zone: DnsName): string {
  return `${zoneKeyPrefix(zone)}!key/`;
}

/** @param name - Of the TSIG key. */
export function zoneKeyKey(zone: DnsName, name: DnsName): string {
  return `${zoneKeyPlace(zone)}${zoneText(name)}`;
}

export function sealedSecretKey(zone: DnsName, name: DnsName, site: SiteId): string {
  return `${zoneKeyKey(zone, name)}/${site}`;
}

/** What stands in a key of either kind; undefined for any other, and for one written in another way. */
export function readZoneKeyKey(
  key: string,
):
  | { readonly zone: DnsName; readonly name: DnsName; readonly site: SiteId | undefined }
  | undefined {
  const [zoneName = "", kind, keyName = "", site, ...rest] = key.split("/");
  if (kind !== "!key" || rest.length > 0) return undefined;
  if (site !== undefined && !/^[0-9a-f]{64}$/.test(site)) return undefined;
  try {
    const zone = lowerCase(parseDnsName(zoneName));
    const name = lowerCase(parseDnsName(keyName));
    if (zoneText(zone) !== zoneName || zoneText(name) !== keyName) return undefined;
    return { zone, name, site: site as SiteId | undefined };
  } catch {
    return undefined;
  }
}

/** What a secret has to match: 16 bytes in hexadecimal. */
export function secretCheck(secret: Uint8Array): string {
  return toHex(sha256("pleach/dns-key-check/1\0", secret)).slice(0, 32);
}

/** The secret is bound to its zone, its name and its reader. */
function bond(zone: DnsName, name: DnsName, site: SiteId): Uint8Array {
  const words = `pleach/dns-key/1\0${formatDnsName(zone)}\0${formatDnsName(name)}\0`;
  return sha256(words, idBytes(site));
}

/**
 * @param boxKey - Public, of the site, 32 bytes.
 * @param chance - {@link SEAL_CHANCE_BYTES} random bytes, used for nothing else.
 */
export function sealSecret(
  secret: Uint8Array,
  at: { readonly zone: DnsName; readonly name: DnsName; readonly site: SiteId },
  boxKey: Uint8Array,
  chance: Uint8Array,
): string {
  if (chance.length !== SEAL_CHANCE_BYTES) throw new RangeError(`${chance.length} random bytes`);
  const ephemeral = nacl.box.keyPair.fromSecretKey(chance.subarray(0, EPHEMERAL_BYTES));
  const nonce = chance.subarray(EPHEMERAL_BYTES);
  const text = Uint8Array.from(Buffer.concat([bond(at.zone, at.name, at.site), secret]));
  const box = nacl.box(text, nonce, boxKey, ephemeral.secretKey);
  return Buffer.concat([ephemeral.publicKey, nonce, box]).toString("base64");
}

/** The secret, or undefined when it was not sealed to this key for this place. */
export function openSecret(
  sealed: string,
  at: { readonly zone: DnsName; readonly name: DnsName; readonly site: SiteId },
  boxSecret: Uint8Array,
): Uint8Array | undefined {
  const bytes = Uint8Array.from(Buffer.from(sealed, "base64"));
  if (bytes.length < EPHEMERAL_BYTES + NONCE_BYTES + nacl.box.overheadLength) return undefined;
  const text = nacl.box.open(
    bytes.subarray(EPHEMERAL_BYTES + NONCE_BYTES),
    bytes.subarray(EPHEMERAL_BYTES, EPHEMERAL_BYTES + NONCE_BYTES),
    bytes.subarray(0, EPHEMERAL_BYTES),
    boxSecret,
  );
  if (text === null) return undefined;
  const expected = bond(at.zone, at.name, at.site);
  if (Buffer.compare(text.subarray(0, expected.length), expected) !== 0) return undefined;
  const secret = text.slice(expected.length);
  const isSized = secret.length >= MIN_SECRET_BYTES && secret.length <= MAX_SECRET_BYTES;
  return isSized ? secret : undefined;
}
