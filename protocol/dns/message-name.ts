/**
 * A name in a message of an unknown sender, its pointers followed.
 *
 * Source: RFC 1035 section 4.1.4. What the RFC leaves open is closed here: a pointer leads to a
 * place before everything of the name that was read so far, and behind the header.
 */
import { MAX_NAME_BYTES, type DnsName } from "./dns-name.ts";
import { HEADER_BYTES } from "./message.ts";

/** A pointer that is of use stands behind a label, of which a name has at most 127. */
const MAX_POINTERS = 127;
const MAX_LABEL_BYTES = 63;

export interface NameInMessage {
  /** Uncompressed, bytes of its own. */
  readonly name: DnsName;
  /** The place after the name in the message. */
  readonly end: number;
}

const scratch = new Uint8Array(MAX_NAME_BYTES);

/** Undefined: there is no sound name at `start`. */
export function readMessageName(bytes: Uint8Array, start: number): NameInMessage | undefined {
  let size = 0;
  let end: number | undefined;
  let before = start;
  let pointers = 0;
  for (let at = start; ;) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length >= 0xc0) {
      const low = bytes[at + 1];
      if (low === undefined || ++pointers > MAX_POINTERS) return undefined;
      const target = ((length & 0x3f) << 8) | low;
      if (target < HEADER_BYTES || target >= before) return undefined;
      end ??= at + 2;
      before = target;
      at = target;
      continue;
    }
    if (length > MAX_LABEL_BYTES) return undefined;
    const next = at + 1 + length;
    if (next > bytes.length || size + 1 + length > MAX_NAME_BYTES) return undefined;
    for (let from = at; from < next; from++) scratch[size++] = bytes[from] ?? 0;
    if (length === 0) return { name: scratch.slice(0, size) as DnsName, end: end ?? next };
    // The root's byte has to fit, too.
    if (size === MAX_NAME_BYTES) return undefined;
    at = next;
  }
}

/** The place after a name, wherever its pointers lead; undefined when it has none. */
export function skipMessageName(bytes: Uint8Array, start: number): number | undefined {
  for (let at = start; at - start < MAX_NAME_BYTES;) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length >= 0xc0) return at + 2 <= bytes.length ? at + 2 : undefined;
    if (length > MAX_LABEL_BYTES) return undefined;
    at += length + 1;
    if (length === 0) return at;
  }
  return undefined;
}
