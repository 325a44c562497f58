/**
 * What every statement in a chain begins with: all but GENESIS, ACK, LEAVE and FORK_PROOF.
 *
 * The statements of one signer form a chain, so that they are ordered and a revocation can name
 * a point in it. A signer that lost track can fork its chain: both branches count, and the fork
 * is shown (see daemon/core/authority/authority.ts).
 */
import { z } from "zod";
import type { MeshId, OperatorId, OwnerId, PeerKey, StatementId } from "../ids.ts";
import { countField, idField } from "../encoding/wire-field.ts";

/** Who has a chain: an operator, an owner with its signing key O, a recovery key of the mesh. */
export type SignerId = OperatorId | OwnerId | PeerKey;

/** What the next statement of a signer has to carry. */
export interface ChainHead {
  /** Place in the signer's chain; the first is 1. */
  readonly seq: number;
  /** The statement before it; the meshId (the id of GENESIS) at seq 1. */
  readonly prev: StatementId | MeshId;
  /**
   * One more than the highest number in any statement known to whoever signs. It settles who
   * came first when two signers give away the same name.
   */
  readonly lamport: number;
}

/** No honest chain of statements comes near it. */
export const MAX_STATEMENT_LAMPORT = 2 ** 48;

export const statementHeadFields = {
  v: z.literal(1),
  mesh: idField<MeshId>(),
  by: idField<SignerId>(),
  seq: countField(1, 1_000_000),
  prev: idField<StatementId | MeshId>(),
  lamport: countField(1, MAX_STATEMENT_LAMPORT),
};
