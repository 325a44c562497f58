/**
 * What a TSIG record proves, and how one is made.
 *
 * A signature covers the message before it and, in an answer, the signature of the question, so
 * an answer cannot be taken for that of another question. A stream of answers is a chain: each
 * signature covers the one before it and everything since.
 *
 * Source: RFC 8945 sections 4.3, 5.2 and 5.3.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { CLASS } from "./dns-code.ts";
import { nameKey, type DnsName } from "./dns-name.ts";
import {
  algorithmName,
  algorithmOf,
  FUDGE_SECONDS,
  timeBytes,
  TSIG_ERROR,
  tsigRecord,
  u16,
  type PlacedTsig,
  type Tsig,
  type TsigAlgorithm,
} from "./tsig.ts";

export interface TsigKey {
  /** Lower case. */
  readonly name: DnsName;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Uint8Array;
}

/** In bytes. */
const MAC_BYTES: Readonly<Record<TsigAlgorithm, number>> = {
  "hmac-sha1": 20,
  "hmac-sha256": 32,
  "hmac-sha384": 48,
  "hmac-sha512": 64,
};
/** RFC 8945 section 5.2.2.1: at least ten bytes and half of the MAC; less is no TSIG at all. */
const MIN_MAC_BYTES = 10;
/** RFC 8945 section 5.3.1: at least every 100th message of a stream is signed. */
const MAX_UNSIGNED = 99;
/** Ours: shorter MACs are refused with BADTRUNC, since 128 bits are what they should be worth. */
const ACCEPTED_MAC_BYTES = 16;

const NOTHING = new Uint8Array();

export type TsigVerdict =
  | "ok"
  /** The length of the MAC cannot be: FORMERR. */
  | "malformed"
  | "BADSIG"
  | "BADTIME"
  | "BADTRUNC";

/**
 * Checks the signature of a question in the order that RFC 8945 section 5.2 gives: the length of
 * the MAC, the MAC, the time, and only then whether a shortened MAC is good enough for us.
 *
 * @param tsig - Of this message, see findTsig; the key has its name and algorithm.
 * @param nowSeconds - Since 1970.
 */
export function verifyTsig(
  message: Uint8Array,
  tsig: PlacedTsig,
  key: TsigKey,
  nowSeconds: number,
): TsigVerdict {
  return verify(key, tsig, nowSeconds, [
    signedPart(message, tsig.start, tsig.originalId),
    variables(tsig),
  ]);
}

/** The same for the one message that answers a question. */
export function verifyTsigAnswer(
  message: Uint8Array,
  tsig: PlacedTsig,
  key: TsigKey,
  requestMac: Uint8Array,
  nowSeconds: number,
): TsigVerdict {
  return verify(key, tsig, nowSeconds, [
    ...prefixed(requestMac),
    signedPart(message, tsig.start, tsig.originalId),
    variables(tsig),
  ]);
}

function verify(
  key: TsigKey,
  { mac, timeSeconds, fudgeSeconds }: Tsig,
  nowSeconds: number,
  parts: readonly Uint8Array[],
): TsigVerdict {
  const full = MAC_BYTES[key.algorithm];
  if (mac.length > full || mac.length < Math.max(MIN_MAC_BYTES, full / 2)) return "malformed";
  const expected = macOf(key, parts).subarray(0, mac.length);
  if (!timingSafeEqual(expected, mac)) return "BADSIG";
  if (Math.abs(nowSeconds - timeSeconds) > fudgeSeconds) return "BADTIME";
  return mac.length < Math.min(ACCEPTED_MAC_BYTES, full) ? "BADTRUNC" : "ok";
}

/**
 * Signs what one side says: a question, or the messages that answer one.
 *
 * Each message is signed. RFC 8945 section 5.3.1 would allow up to 99 without; it advises against
 * that, and some clients refuse it.
 */
export class TsigSigner {
  readonly #key: TsigKey;
  readonly #nowSeconds: () => number;
  #before: Uint8Array | undefined;
  #first = true;

  /** @param requestMac - Of the question that is answered; undefined to sign a question. */
  constructor(key: TsigKey, requestMac: Uint8Array | undefined, nowSeconds: () => number) {
    this.#key = key;
    this.#before = requestMac;
    this.#nowSeconds = nowSeconds;
  }

  /** The MAC of the message signed last: what its answers build on. */
  get mac(): Uint8Array {
    return this.#before ?? NOTHING;
  }

  /** The bytes that a signature adds to a message. */
  get sizeBytes(): number {
    const { name, algorithm } = this.#key;
    // Owner and fixed fields; algorithm, time, fudge, MAC, id, error and no other data.
    return name.length + 10 + algorithmName(algorithm).length + 16 + MAC_BYTES[algorithm];
  }

  /** The message with its signature. Its id stands in its header already. */
  sign(message: Uint8Array): Uint8Array {
    return this.#sign(message, this.#nowSeconds(), TSIG_ERROR.NONE, NOTHING);
  }

  /**
   * An answer that says what is wrong with a signature that does come from the key.
   *
   * Section 5.2.3: with BADTIME it repeats the time that the question was signed at, and has the
   * time here in the other data.
   */
  signError(message: Uint8Array, asked: Tsig, error: "BADTIME" | "BADTRUNC"): Uint8Array {
    const nowSeconds = this.#nowSeconds();
    return error === "BADTIME"
      ? this.#sign(message, asked.timeSeconds, TSIG_ERROR.BADTIME, timeBytes(nowSeconds))
      : this.#sign(message, nowSeconds, TSIG_ERROR.BADTRUNC, NOTHING);
  }

  #sign(message: Uint8Array, timeSeconds: number, error: number, other: Uint8Array): Uint8Array {
    const tsig = {
      key: this.#key.name,
      algorithm: algorithmName(this.#key.algorithm),
      timeSeconds,
      fudgeSeconds: FUDGE_SECONDS,
      originalId: ((message[0] ?? 0) << 8) | (message[1] ?? 0),
      error,
      other,
      mac: NOTHING,
    };
    const mac = macOf(this.#key, [
      ...(this.#before === undefined ? [] : prefixed(this.#before)),
      message,
      // Section 5.3.1: messages after the first are signed with the time only.
      this.#first ? variables(tsig) : timers(tsig),
    ]);
    this.#before = mac;
    this.#first = false;
    return withTsig(message, { ...tsig, mac });
  }
}

/**
 * Checks the messages that answer one signed question over a stream.
 *
 * Source: RFC 8945 section 5.3.1.
 */
export class TsigStream {
  readonly #key: TsigKey;
  #before: Uint8Array;
  /** Messages since the last signature, as they came. */
  #unsigned: Uint8Array[] = [];
  #first = true;

  constructor(key: TsigKey, requestMac: Uint8Array) {
    this.#key = key;
    this.#before = requestMac;
  }

  /**
   * @returns "unsigned" for a message whose proof comes with a later one; the last message of a
   *   stream has to be "ok".
   */
  check(
    message: Uint8Array,
    tsig: PlacedTsig | "none" | "malformed",
    nowSeconds: number,
  ): TsigVerdict | "unsigned" {
    if (tsig === "malformed") return "malformed";
    if (tsig === "none") {
      this.#unsigned.push(message);
      // "the first DNS message MUST contain a TSIG", and at least every 100th.
      return this.#first || this.#unsigned.length > MAX_UNSIGNED ? "BADSIG" : "unsigned";
    }
    const isOurs =
      nameKey(tsig.key) === nameKey(this.#key.name) &&
      algorithmOf(tsig.algorithm) === this.#key.algorithm;
    if (!isOurs || tsig.error !== TSIG_ERROR.NONE) return "BADSIG";
    const verdict = verify(this.#key, tsig, nowSeconds, [
      ...prefixed(this.#before),
      ...this.#unsigned,
      signedPart(message, tsig.start, tsig.originalId),
      this.#first ? variables(tsig) : timers(tsig),
    ]);
    this.#before = tsig.mac;
    this.#unsigned = [];
    this.#first = false;
    return verdict;
  }
}

/**
 * An answer to a question whose signature proves nothing.
 *
 * Section 5.3.2: about the key or the MAC, the server "MUST NOT send back a signed error message".
 */
export function withTsigError(
  message: Uint8Array,
  asked: Tsig,
  error: "BADKEY" | "BADSIG",
): Uint8Array {
  return withTsig(message, {
    ...asked,
    error: TSIG_ERROR[error],
    mac: NOTHING,
    other: NOTHING,
  });
}

function withTsig(message: Uint8Array, tsig: Tsig): Uint8Array {
  const signed = Buffer.concat([message, tsigRecord(tsig)]);
  signed.writeUInt16BE(signed.readUInt16BE(10) + 1, 10);
  return Uint8Array.from(signed);
}

/** The message as it was before it was signed: without the record, under its first id. */
function signedPart(message: Uint8Array, start: number, originalId: number): Uint8Array {
  const part = Buffer.from(message.subarray(0, start));
  part.writeUInt16BE(originalId);
  part.writeUInt16BE(part.readUInt16BE(10) - 1, 10);
  return part;
}

function prefixed(mac: Uint8Array): readonly Uint8Array[] {
  return [u16(mac.length), mac];
}

/** RFC 8945 section 4.3.3. The names are in lower case already. */
function variables(tsig: Tsig): Uint8Array {
  return Buffer.concat([
    tsig.key,
    u16(CLASS.ANY),
    new Uint8Array(4),
    tsig.algorithm,
    timers(tsig),
    u16(tsig.error),
    u16(tsig.other.length),
    tsig.other,
  ]);
}

function timers({ timeSeconds, fudgeSeconds }: Tsig): Uint8Array {
  return Buffer.concat([timeBytes(timeSeconds), u16(fudgeSeconds)]);
}

/** `hmac-sha256` is SHA-256 to node:crypto. */
function macOf({ algorithm, secret }: TsigKey, parts: readonly Uint8Array[]): Uint8Array {
  const hmac = createHmac(algorithm.slice("hmac-".length), secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}
