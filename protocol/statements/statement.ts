/**
 * Statements: the signed decisions about membership and rights that every node keeps for ever.
 *
 * A statement is checked here as far as it speaks for itself: size, canonical form, schema,
 * signatures. Whether it counts depends on the other statements (daemon/core/authority/authority.ts).
 * `id = sha256(unsigned bytes)`: signatures are no part of it, so a malleated one changes nothing.
 */
import { z } from "zod";
import { ackBody, type AckBody } from "./ack-statement.ts";
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import { delegateBody, type DelegateBody } from "./delegate-statement.ts";
import { epochBody, voteBody, type EpochBody, type VoteBody } from "./epoch-statement.ts";
import { PleachError } from "../error.ts";
import { forkProofBody, openForkProof, type ForkProofBody } from "./fork-proof-statement.ts";
import { genesisBody, type GenesisBody } from "./genesis.ts";
import { grantBody, ungrantBody, type GrantBody, type UngrantBody } from "./grant-statement.ts";
import { idBytes, idOf, sha256, toHex, type MeshId, type StatementId } from "../ids.ts";
import { leaveBody, type LeaveBody } from "./leave-statement.ts";
import { openOwnerClaim, ownerBody, type OwnerBody } from "./owner-statement.ts";
import {
  isSoundPublicKey,
  sign,
  verify,
  type SignatureDomain,
  type SigningKey,
} from "../keys/signature.ts";
import { openSiteRelease, openSiteRequest, siteBody, type SiteBody } from "./site-statement.ts";
import { statementHeadFields } from "./statement-head.ts";
import {
  suspendBody,
  unsuspendBody,
  type SuspendBody,
  type UnsuspendBody,
} from "./suspend-statement.ts";
import { bytesField } from "../encoding/wire-field.ts";

/** The most that any statement may have with its signatures. */
export const MAX_STATEMENT_BYTES = 64 * 1024;
/** The most for a kind that names neither many logs nor headers. */
const MAX_SMALL_STATEMENT_BYTES = 4096;
const LARGE_KINDS: ReadonlyMap<string, number> = new Map([
  ["EPOCH", MAX_STATEMENT_BYTES],
  ["LEAVE", MAX_STATEMENT_BYTES],
  ["UNGRANT", MAX_STATEMENT_BYTES],
  ["SITE", MAX_STATEMENT_BYTES],
  ["FORK_PROOF", 20 * 1024],
]);
const MAX_SIGNATURES = 24;

export class StatementError extends PleachError<
  | "E-STATEMENT-SIZE"
  | "E-STATEMENT-FORM"
  | "E-STATEMENT-SIGNATURE"
  | "E-STATEMENT-KEY"
  | "E-STATEMENT-MESH"
> {}

/** A kind that this version does not know, by a signer that it may know: kept and passed on. */
export type UnknownBody = z.output<typeof unknownBody> & { readonly known: false };
/** Bodies that stand in a signer's chain and that this version knows. */
export type KnownChainedBody =
  | SiteBody
  | OwnerBody
  | GrantBody
  | UngrantBody
  | DelegateBody
  | EpochBody
  | VoteBody
  | SuspendBody
  | UnsuspendBody;
/** Bodies that stand in a signer's chain. */
export type ChainedBody = KnownChainedBody | UnknownBody;
export type KnownBody = GenesisBody | KnownChainedBody | AckBody | LeaveBody | ForkProofBody;
export type StatementBody = KnownBody | UnknownBody;

/** One statement that speaks the truth about itself. Made by the functions of this file only. */
export interface SignedStatement {
  readonly id: StatementId;
  /** What was signed, as it came. */
  readonly bytes: Uint8Array;
  readonly signatures: readonly { readonly key: Uint8Array; readonly signature: Uint8Array }[];
  readonly body: StatementBody;
}

const unknownBody = z.object({
  ...statementHeadFields,
  kind: z.string().regex(/^[A-Z][A-Z_]{1,31}$/),
});

const frame = z.strictObject({
  v: z.literal(1),
  bytes: bytesField(1, MAX_STATEMENT_BYTES),
  signatures: z
    .array(z.strictObject({ key: bytesField(32, 32), signature: bytesField(64, 64) }))
    .max(MAX_SIGNATURES),
});

const SCHEMAS = {
  GENESIS: genesisBody,
  SITE: siteBody,
  OWNER: ownerBody,
  GRANT: grantBody,
  UNGRANT: ungrantBody,
  DELEGATE: delegateBody,
  EPOCH: epochBody,
  VOTE: voteBody,
  ACK: ackBody,
  LEAVE: leaveBody,
  SUSPEND: suspendBody,
  UNSUSPEND: unsuspendBody,
  FORK_PROOF: forkProofBody,
} as const;
type KnownKind = keyof typeof SCHEMAS;

/** The id that a GENESIS statement gives its mesh. */
export function meshIdOf(genesis: SignedStatement): MeshId {
  return genesis.id as string as MeshId;
}

/** The most bytes of a statement of this kind as it travels; unknown kinds are small. */
export function maxStatementBytes(kind: string): number {
  return LARGE_KINDS.get(kind) ?? MAX_SMALL_STATEMENT_BYTES;
}

/**
 * Signs a decision. GENESIS takes the keys of all founders, FORK_PROOF none, everything else the
 * one key of `by`.
 *
 * @throws StatementError when the statement would be refused by {@link decodeStatement}.
 */
export function signStatement(body: KnownBody, keys: readonly SigningKey[]): SignedStatement {
  const wire = z.safeEncode(SCHEMAS[body.kind] as z.ZodType, body);
  if (!wire.success) throw formError(wire.error);
  const bytes = encodeCbor(wire.data as CborValue);
  const signatures = keys
    .map((key) => ({ key: key.publicKey, signature: sign(key, domainOf(body.kind), bytes) }))
    .toSorted((a, b) => Buffer.compare(a.key, b.key));
  return decodeStatement(encodeStatement({ bytes, signatures }));
}

/** The bytes that travel and are stored. */
export function encodeStatement(
  statement: Pick<SignedStatement, "bytes" | "signatures">,
): Uint8Array {
  const signatures = statement.signatures.map(({ key, signature }) => ({ key, signature }));
  return encodeCbor({ v: 1, bytes: statement.bytes, signatures });
}

/**
 * Reads a statement from outside and checks all that it says about itself.
 *
 * @throws StatementError with the reason; nothing else.
 */
export function decodeStatement(encoded: Uint8Array): SignedStatement {
  if (encoded.length > MAX_STATEMENT_BYTES) {
    throw new StatementError("E-STATEMENT-SIZE", `A statement of ${encoded.length} bytes.`);
  }
  const { bytes, signatures } = read(frame, encoded);
  const body = readBody(bytes, encoded.length);
  checkSignatures(body, bytes, signatures);
  checkParts(body);
  return { id: idOf<StatementId>(sha256(bytes)), bytes, signatures, body };
}

/** @param sizeBytes - Of the whole statement. */
function readBody(bytes: Uint8Array, sizeBytes: number): StatementBody {
  const { kind } = read(z.looseObject({ kind: z.string() }), bytes);
  if (sizeBytes > maxStatementBytes(kind)) {
    throw new StatementError("E-STATEMENT-SIZE", `A ${kind.slice(0, 32)} of ${sizeBytes} bytes.`);
  }
  if (isKnownKind(kind)) return read(SCHEMAS[kind] as z.ZodType<KnownBody>, bytes);
  return { ...read(unknownBody, bytes), known: false };
}

function isKnownKind(kind: string): kind is KnownKind {
  return Object.hasOwn(SCHEMAS, kind);
}

/** A domain for each kind, so that no signature fits two of them. */
function domainOf(kind: string): SignatureDomain {
  return `pleach/statement-${kind.toLowerCase()}/1`;
}

function checkSignatures(
  body: StatementBody,
  bytes: Uint8Array,
  signatures: SignedStatement["signatures"],
): void {
  const keys = signatures.map(({ key }) => toHex(key));
  if (keys.some((key, index) => index > 0 && key <= (keys[index - 1] ?? ""))) {
    throw new StatementError("E-STATEMENT-FORM", "The signatures are not in the order of keys.");
  }
  const required = signersOf(body);
  const exact = !isUnknown(body);
  if (!required.every((key) => keys.includes(key)) || (exact && keys.length !== required.length)) {
    throw new StatementError("E-STATEMENT-SIGNATURE", "Not signed by exactly those who have to.");
  }
  for (const { key, signature } of signatures) {
    if (!verify(key, domainOf(body.kind), bytes, signature)) {
      throw new StatementError("E-STATEMENT-SIGNATURE", `Wrong signature by ${toHex(key)}.`);
    }
  }
}

/** Who has to sign: exactly these, for a kind that this version knows. */
function signersOf(body: StatementBody): readonly string[] {
  if (isGenesis(body)) return body.founders;
  return isForkProof(body) ? [] : [body.by];
}

/** Keys that are enrolled here have to be sound, and wrapped parts have to be of the same mesh. */
function checkParts(body: StatementBody): void {
  if (isUnknown(body)) return;
  switch (body.kind) {
    case "GENESIS":
    case "EPOCH":
      for (const { key } of body.operators) checkKey(idBytes(key));
      for (const key of body.recovery.keys) checkKey(idBytes(key));
      return;
    case "SITE": {
      const request = openSiteRequest(body);
      if (request === undefined) {
        throw new StatementError("E-STATEMENT-SIGNATURE", "The site did not sign its request.");
      }
      checkMesh(body.mesh, request.mesh);
      checkKey(idBytes(request.key));
      if (body.release === null) return;
      const release = openSiteRelease(body.release);
      if (release === undefined || release.new !== request.key || release.old === request.key) {
        throw new StatementError("E-STATEMENT-SIGNATURE", "The release is not for this site.");
      }
      checkMesh(body.mesh, release.mesh);
      return;
    }
    case "OWNER": {
      const claim = openOwnerClaim(body);
      if (claim === undefined) {
        throw new StatementError("E-STATEMENT-SIGNATURE", "The owner did not sign its claim.");
      }
      checkMesh(body.mesh, claim.mesh);
      checkKey(idBytes(claim.sign));
      checkKey(idBytes(claim.recovery));
      return;
    }
    case "FORK_PROOF": {
      if (openForkProof(body) === undefined) {
        throw new StatementError("E-STATEMENT-FORM", "The headers prove no fork.");
      }
      return;
    }
    case "GRANT":
    case "UNGRANT":
    case "DELEGATE":
    case "VOTE":
    case "ACK":
    case "LEAVE":
    case "SUSPEND":
    case "UNSUSPEND":
      return;
  }
}

function checkKey(key: Uint8Array): void {
  if (!isSoundPublicKey(key)) {
    throw new StatementError("E-STATEMENT-KEY", `${toHex(key)} is no usable public key.`);
  }
}

function checkMesh(outer: MeshId, inner: MeshId): void {
  if (outer !== inner) {
    throw new StatementError("E-STATEMENT-MESH", "A wrapped part belongs to another mesh.");
  }
}

export function isGenesis(body: StatementBody): body is GenesisBody {
  return body.kind === "GENESIS";
}

function isForkProof(body: StatementBody): body is ForkProofBody {
  return !isUnknown(body) && body.kind === "FORK_PROOF";
}

/** Whether a statement stands in the chain of whoever signed it. */
export function isChained(body: StatementBody): body is ChainedBody {
  return "seq" in body;
}

export function isUnknown(body: StatementBody): body is UnknownBody {
  return "known" in body;
}

function read<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.output<Schema> {
  let result;
  try {
    result = schema.safeParse(decodeCbor(bytes, MAX_STATEMENT_BYTES));
  } catch (cause) {
    throw new StatementError("E-STATEMENT-FORM", "Not canonical CBOR.", { cause });
  }
  if (result.success) return result.data;
  throw formError(result.error);
}

function formError({ issues: [issue] }: z.ZodError): StatementError {
  const where = issue?.path.map(String).join(".") ?? "";
  return new StatementError("E-STATEMENT-FORM", `${where}: ${issue?.message ?? "wrong form"}`);
}
