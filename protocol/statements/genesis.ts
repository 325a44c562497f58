/**
 * GENESIS: the statement that a mesh starts from. `meshId` is the hash of its bytes.
 *
 * Signed by every founder. The founders are among the operators, so a person whose key is named
 * here without a signature is an operator by the founders' word alone.
 */
import { z } from "zod";
import type { OperatorId, PeerKey } from "../ids.ts";
import { bytesField, countField, idField, textField } from "../encoding/wire-field.ts";

export const genesisBody = z
  .object({
    v: z.literal(1),
    kind: z.literal("GENESIS"),
    /** What people call the mesh. */
    name: textField(64, 1),
    /** Random, so that two meshes of one name differ. */
    salt: bytesField(16, 32),
    operators: z
      .array(z.object({ key: idField<OperatorId>(), name: textField(64, 1) }))
      .min(1)
      .max(24),
    /** Who signs this statement. */
    founders: z.array(idField<OperatorId>()).min(1).max(24),
    /** How many operators an epoch needs. */
    threshold: countField(1, 24),
    /** Keys kept on paper that can make an epoch when the operators cannot. */
    recovery: z.object({ keys: z.array(idField<PeerKey>()).max(8), threshold: countField(0, 8) }),
    /** The most statements of one operator, and of one owner, that count between two epochs. */
    limits: z.object({
      operatorStatements: countField(10, 10_000),
      ownerStatements: countField(10, 10_000),
    }),
    /** Which version of the rules of validity holds. */
    rules: z.literal(1),
  })
  .refine(({ operators }) => new Set(operators.map(({ key }) => key)).size === operators.length, {
    error: "an operator key stands twice",
  })
  .refine(({ founders }) => new Set(founders).size === founders.length, {
    error: "a founder stands twice",
  })
  .refine(
    ({ founders, operators }) => founders.every((f) => operators.some(({ key }) => key === f)),
    { error: "a founder is no operator" },
  )
  .refine(({ threshold, operators }) => threshold <= operators.length, {
    error: "the threshold is above the number of operators",
  })
  .refine(({ recovery }) => recovery.threshold <= recovery.keys.length, {
    error: "the recovery threshold is above the number of recovery keys",
  });

export type GenesisBody = z.output<typeof genesisBody>;

/** Enough for a decade of a small mesh, and a bound on what one signer can make others keep. */
export const DEFAULT_LIMITS = { operatorStatements: 1000, ownerStatements: 200 } as const;
