/**
 * FORK_PROOF: two headers that one author signed for one place of a log. It proves itself, so it
 * has no signer and stands in no chain: whoever holds both headers makes the same bytes.
 *
 * - **One place:** equal `seq` and equal `prev`. What counts ends at that `prev`.
 * - **Behind a snapshot:** two headers of which each is a snapshot right after `common`, or one is
 *   and the other has its `seq` with another `prev`. What counts ends at `common`.
 */
import { z } from "zod";
import { EnvelopeError } from "../logs/envelope.ts";
import type { EnvelopeId, LogId, MeshId, SiteId } from "../ids.ts";
import {
  decodeSignedHeader,
  MAX_SIGNED_HEADER_BYTES,
  type SignedHeader,
} from "../logs/signed-header.ts";
import { bytesField, idField } from "../encoding/wire-field.ts";

/** As signed-header.ts encodes it. */
const signedHeader = bytesField(1, MAX_SIGNED_HEADER_BYTES);

export const forkProofBody = z.object({
  v: z.literal(1),
  kind: z.literal("FORK_PROOF"),
  mesh: idField<MeshId>(),
  /** The header with the lower id. */
  a: signedHeader,
  b: signedHeader,
  /** The last snapshot that both sides have in common; null when they part at one place. */
  common: signedHeader.nullable(),
});
export type ForkProofBody = z.output<typeof forkProofBody>;

/** What a proof shows. */
export interface Fork {
  readonly author: SiteId;
  readonly log: LogId;
  /** The last entry that both sides have; undefined when there is none. */
  readonly last: { readonly seq: number; readonly head: EnvelopeId } | undefined;
}

/**
 * The body that proves a fork, or undefined when these signed headers do not.
 *
 * @param common - The header of the snapshot that both name as `prevSnap`; it is left out where
 *   `one` and `other` part at one place.
 * @throws EnvelopeError when a header or a signature is wrong.
 */
export function proveFork(
  one: Uint8Array,
  other: Uint8Array,
  common?: Uint8Array,
): ForkProofBody | undefined {
  const [first, second] = [decodeSignedHeader(one), decodeSignedHeader(other)];
  const [a, b] = first.id < second.id ? [one, other] : [other, one];
  const base = { v: 1, kind: "FORK_PROOF", mesh: first.header.mesh, a, b } as const;
  const candidates = [
    { ...base, common: null },
    { ...base, common: common ?? null },
  ];
  return candidates.find((body) => openForkProof(body) !== undefined);
}

/** What was opened before: authority is computed again and again from the same statements. */
const opened = new WeakMap<object, Fork>();

/** The fork, or undefined when the two headers do not contradict each other. */
export function openForkProof(body: ForkProofBody): Fork | undefined {
  const known = opened.get(body);
  if (known !== undefined) return known;
  let fork;
  try {
    fork = readFork(body);
  } catch (error) {
    if (error instanceof EnvelopeError) return undefined;
    throw error;
  }
  if (fork !== undefined) opened.set(body, fork);
  return fork;
}

/** @throws EnvelopeError when a header or a signature is wrong. */
function readFork(body: ForkProofBody): Fork | undefined {
  const [a, b] = [decodeSignedHeader(body.a), decodeSignedHeader(body.b)];
  if (a.id >= b.id || a.log !== b.log || a.header.mesh !== body.mesh) return undefined;
  const { author } = a.header;
  const samePlace = a.header.seq === b.header.seq;
  if (samePlace && a.header.prev === b.header.prev) {
    if (body.common !== null) return undefined;
    const { seq, prev: head } = a.header;
    return { author, log: a.log, last: head === null ? undefined : { seq: seq - 1, head } };
  }
  if (body.common === null) return undefined;
  const common: SignedHeader = decodeSignedHeader(body.common);
  const { seq, kind } = common.header;
  if (common.log !== a.log || kind !== "SNAP") return undefined;
  if (seq >= a.header.seq || seq >= b.header.seq) return undefined;
  const after = [a, b].filter(({ header }) => header.prevSnap === common.id).length;
  if (after === 0 || (after === 1 && !samePlace)) return undefined;
  return { author, log: a.log, last: { seq, head: common.id } };
}
