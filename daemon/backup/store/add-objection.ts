/** Passes on what an operator or an owner has signed against a shorter retention lock. */
import { mayObject, type Objected } from "../../core/backup/objectors.ts";
import {
  isSignedObjection,
  objectionKey,
  objectionRecord,
} from "../../../protocol/backup/objection.ts";
import { BackupError } from "./error.ts";
import type { Holder } from "./holder.ts";

export interface SignedObjection extends Objected {
  /** The signer's public key, 32 bytes, hexadecimal. */
  readonly key: string;
  /** 64 bytes, hexadecimal. */
  readonly signature: string;
}

/**
 * Resolves when the record is durable here; the members hear of it as of any other.
 *
 * @throws BackupError E-BACKUP-RIGHT when it is not sound, or the key may not object.
 */
export async function addObjection(
  { state }: Pick<Holder, "state">,
  { owner, statement, key, signature }: SignedObjection,
): Promise<void> {
  const { meshId: mesh } = state;
  const value = { owner, signature };
  const isSound =
    mesh !== undefined &&
    objectionRecord.safeParse(value).success &&
    isSignedObjection({ mesh, owner, statement }, key, signature);
  if (!isSound || !mayObject(state.authority(), owner, key)) {
    throw new BackupError("E-BACKUP-RIGHT", "That key may not object to the owner's lock.", {
      hint: "An operator of the mesh may who is not suspended, and the owner's own key.",
      exit: 5,
    });
  }
  await state.write([{ class: "hold", key: objectionKey(statement, key), value }]);
}
