/**
 * The public half of a mesh recovery key: one line that its holder sends to the operators.
 *
 * It is no secret. The private half comes from the 24 words each time that it signs.
 */
import { PleachError } from "../error.ts";
import { fromHex, parseId, type PeerKey } from "../ids.ts";
import { isSoundPublicKey } from "./signature.ts";

const TITLE = "pleach-recovery-1";

export class RecoveryPublicError extends PleachError<"E-RECOVERY-PUBLIC"> {}

export function printRecoveryPublic(key: PeerKey): string {
  return `${TITLE} ${key}`;
}

/** @throws RecoveryPublicError when the text is not such a line, or the key is not a sound one. */
export function parseRecoveryPublic(text: string): PeerKey {
  const key = parseId<PeerKey>(/^pleach-recovery-1 ([0-9a-f]{64})$/.exec(text.trim())?.[1]);
  if (key !== undefined && isSoundPublicKey(fromHex(key))) return key;
  throw new RecoveryPublicError("E-RECOVERY-PUBLIC", "This is no public line of a recovery key.", {
    hint: `It is ${TITLE} and 64 digits. Whoever has the phrase prints it:  pleach keys recovery`,
    exit: 2,
  });
}
