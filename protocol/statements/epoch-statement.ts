/**
 * EPOCH and VOTE: the operators decide together who they are from now on, and whom they expel.
 *
 * An EPOCH is a proposal and the vote of whoever made it; each further vote is a statement of its
 * own, so that an id never depends on who has signed so far. Which epoch counts is decided in
 * daemon/core/authority/epochs.ts.
 */
import { z } from "zod";
import type { MeshId, OperatorId, PeerKey, SiteId, StatementId } from "../ids.ts";
import { logHeadsField } from "../logs/log-head.ts";
import { statementHeadFields, type SignerId } from "./statement-head.ts";
import { countField, idField, textField } from "../encoding/wire-field.ts";

/** An epoch settles at most so many contested ones: more cannot be voted for by honest people. */
export const MAX_EPOCH_PARENTS = 8;
/**
 * The newest rules of validity that this version knows. Under newer ones it stores, passes on and
 * shows, and signs nothing.
 */
export const KNOWN_RULES = 1;
/** The last number of an epoch. */
const MAX_EPOCH = 1_000_000;

const operator = z.object({ key: idField<OperatorId>(), name: textField(64, 1) });

/** SUSPENDs that one EPOCH can end. */
export const MAX_EPOCH_UNSUSPENDS = 256;

export const epochBody = z
  .object({
    ...statementHeadFields,
    kind: z.literal("EPOCH"),
    n: countField(1, MAX_EPOCH),
    /** The epochs of n-1 that it goes on from, sorted: one, or all those that are contested. */
    parents: z
      .array(idField<StatementId | MeshId>())
      .min(1)
      .max(MAX_EPOCH_PARENTS)
      .refine(isAscending, { error: "the parents are not in order" }),
    /** All operators from now on. */
    operators: z
      .array(operator)
      .min(1)
      .max(24)
      .refine((all) => areDistinct(all.map(({ key }) => key)), {
        error: "an operator key stands twice",
      }),
    /** How many operators the next epoch needs. */
    threshold: countField(1, 24),
    recovery: z.object({
      keys: z.array(idField<PeerKey>()).max(8).refine(areDistinct, {
        error: "a recovery key stands twice",
      }),
      threshold: countField(0, 8),
    }),
    /** What the mesh uses beyond the first version, sorted. */
    features: z.array(textField(64, 1)).max(32).refine(isAscending, {
      error: "the features are not in order",
    }),
    /** Which version of the rules of validity holds. */
    rules: countField(1, MAX_EPOCH),
    /**
     * The end of the chain of each operator of the parents, as the proposer knows it. For one who
     * is dropped it is the last statement that counts; for all it is where the limits of GENESIS
     * are counted from. Owners and recovery keys may be named for the sake of their limits. Who has
     * signed nothing yet stands with seq 0 and the meshId.
     */
    chains: z
      .array(
        z.object({
          by: idField<SignerId>(),
          seq: countField(0, 1_000_000),
          head: idField<StatementId | MeshId>(),
        }),
      )
      .max(256)
      .refine((all) => areDistinct(all.map(({ by }) => by)), { error: "a chain stands twice" }),
    /** Sites that are expelled, and the last entry of each log of theirs that still counts. */
    revokes: z
      .array(z.object({ site: idField<SiteId>(), logs: logHeadsField() }))
      .max(256)
      .refine((all) => areDistinct(all.map(({ site }) => site)), { error: "a site stands twice" }),
    /** SUSPENDs that end with it. */
    unsuspends: z.array(idField<StatementId>()).max(MAX_EPOCH_UNSUSPENDS).refine(areDistinct, {
      error: "a suspension stands twice",
    }),
  })
  .refine(({ threshold, operators }) => threshold <= operators.length, {
    error: "the threshold is above the number of operators",
  })
  .refine(({ chains, mesh }) => chains.every(({ seq, head }) => (seq === 0) === (head === mesh)), {
    error: "an empty chain ends at GENESIS",
  })
  .refine(({ recovery }) => recovery.threshold <= recovery.keys.length, {
    error: "the recovery threshold is above the number of recovery keys",
  })
  .refine(
    ({ recovery, operators }) =>
      areDistinct([...recovery.keys, ...operators.map(({ key }) => key)] as readonly string[]),
    { error: "a recovery key is an operator's" },
  );
export type EpochBody = z.output<typeof epochBody>;

export const voteBody = z.object({
  ...statementHeadFields,
  kind: z.literal("VOTE"),
  epoch: idField<StatementId>(),
});
export type VoteBody = z.output<typeof voteBody>;

function areDistinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

function isAscending(values: readonly string[]): boolean {
  return values.every((value, index) => index === 0 || (values[index - 1] ?? "") < value);
}
