/** Who signs a decision: an operator with its key file, or the mesh's recovery key from a phrase. */
import type { Command } from "commander";
import { idOf, type PeerKey } from "../../../protocol/ids.ts";
import { operatorOfFile, type OperatorPublic } from "../../../protocol/keys/operator-key.ts";
import { meshRecoveryKey } from "../../../protocol/keys/owner-keys.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import { votersOf } from "./epoch-change.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import type { MeshKnowledge } from "./mesh-knowledge.ts";
import { openOperatorFile, readPhrase, readSmallFile } from "./people-files.ts";

export interface SignerOptions {
  readonly operatorKey?: string;
  readonly passphraseFile?: string;
  readonly phraseFile?: string;
  readonly dryRun?: boolean;
  readonly secondVote?: boolean;
}

export interface DecisionSigner {
  readonly id: SignerId;
  readonly name: string;
  readonly key: SigningKey;
}

/** @param byRecovery - Whether a recovery key may sign it, too: epochs and votes. */
export function withSignerOptions(command: Command, byRecovery: boolean): Command {
  command
    .option("--operator-key <file>", "your operator key")
    .option("--passphrase-file <file>", "its passphrase, on the first line");
  if (byRecovery) {
    command
      .option("--phrase-file <file>", "sign with the recovery key of this phrase or sheet")
      .option("--second-vote", "sign though this key has signed another epoch of this number");
  }
  return command.option("--dry-run", "show what it would do, and change nothing");
}

/** Fails before anything is asked when no key is named. */
export function mustNameKey(options: SignerOptions): void {
  if (options.operatorKey !== undefined && options.phraseFile !== undefined) {
    throw new UsageError("Give --operator-key or --phrase-file, not both.");
  }
  if (options.operatorKey !== undefined || options.phraseFile !== undefined) return;
  throw new UsageError(
    "A decision takes an operator's key.",
    "Give --operator-key FILE; --dry-run shows without a key what would happen.",
  );
}

/**
 * Opens the key.
 *
 * @throws CommandError E-OPERATOR when the mesh does not know it.
 */
export async function openSigner(
  options: SignerOptions,
  mesh: MeshKnowledge,
): Promise<DecisionSigner> {
  const { parents } = mesh.authority.epoch;
  if (options.operatorKey === undefined) {
    const key = meshRecoveryKey(await readPhrase(options.phraseFile));
    const id = idOf<PeerKey>(key.publicKey);
    if (parents.some(({ recovery }) => recovery.keys.includes(id)))
      return { id, name: "the recovery key", key };
    throw new CommandError("E-OPERATOR", "The phrase gives no recovery key of this mesh.", {
      hint: "It is the phrase of whoever founded the mesh, unless that was changed since.",
      exit: 5,
    });
  }
  const operator = await openOperatorFile(options.operatorKey, options.passphraseFile);
  return { id: operator.key, name: voterName(mesh, operator), key: operator.sign };
}

/**
 * Whose key file it is, before a passphrase is asked for. Undefined for a phrase.
 *
 * @throws CommandError E-OPERATOR when the mesh does not know it.
 */
export async function signerOfFile(
  { operatorKey }: SignerOptions,
  mesh: MeshKnowledge,
): Promise<OperatorPublic | undefined> {
  if (operatorKey === undefined) return undefined;
  const operator = operatorOfFile(await readSmallFile(operatorKey));
  return { key: operator.key, name: voterName(mesh, operator) };
}

/** @throws CommandError E-OPERATOR */
function voterName(mesh: MeshKnowledge, { key, name }: OperatorPublic): string {
  const known = votersOf(mesh).get(key);
  if (known !== undefined) return known;
  throw new CommandError("E-OPERATOR", `${name} is no operator of this mesh.`, {
    hint: "Look who is:  pleach operators",
    exit: 5,
  });
}
