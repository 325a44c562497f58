/**
 * The header of an entry with its signature, without the payload.
 *
 * It proves that the author put this entry at its place. Headers of snapshots are kept when their
 * payloads are pruned, and two headers for one place prove a fork.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import {
  checkHeaderSignature,
  EnvelopeError,
  MAX_HEADER_BYTES,
  readHeader,
  type UncheckedHeader,
} from "./envelope.ts";
import { bytesField } from "../encoding/wire-field.ts";

/** With the frame around header and signature. */
export const MAX_SIGNED_HEADER_BYTES = MAX_HEADER_BYTES + 128;

const frame = z.strictObject({
  v: z.literal(1),
  header: bytesField(1, MAX_HEADER_BYTES),
  signature: bytesField(64, 64),
});

/** @param headerBytes - As they were signed. */
export function encodeSignedHeader(headerBytes: Uint8Array, signature: Uint8Array): Uint8Array {
  return encodeCbor({ v: 1, header: headerBytes, signature });
}

/** A header whose form is right; whether its author signed it is not checked. */
export interface SignedHeader extends UncheckedHeader {
  readonly signature: Uint8Array;
}

/** @throws EnvelopeError */
export function readSignedHeader(bytes: Uint8Array): SignedHeader {
  const { header, signature } = readFrame(bytes);
  return { ...readHeader(header), signature };
}

/** @throws EnvelopeError with the reason, also when the author did not sign it; nothing else. */
export function decodeSignedHeader(bytes: Uint8Array): SignedHeader {
  const signed = readSignedHeader(bytes);
  checkHeaderSignature(signed, signed.signature);
  return signed;
}

function readFrame(bytes: Uint8Array): z.output<typeof frame> {
  try {
    return frame.parse(decodeCbor(bytes, MAX_SIGNED_HEADER_BYTES));
  } catch (cause) {
    throw new EnvelopeError("E-ENVELOPE-FORM", "Not a signed header.", { cause });
  }
}
