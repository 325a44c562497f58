/**
 * Who may object to a shorter retention lock, and whether somebody has.
 *
 * Objecting only ever keeps data longer, so any one of many may: the owner's own key, and every
 * operator of the mesh who is not suspended. A key that lost its right objects no more; what a
 * holder has acted on it remembers itself.
 */
import {
  isSignedObjection,
  objectionKey,
  objectionRecord,
} from "../../../protocol/backup/objection.ts";
import { parseId, type OperatorId, type OwnerId, type StatementId } from "../../../protocol/ids.ts";
import type { Authority } from "../authority/authority.ts";
import type { View } from "../logs/view.ts";

export interface Objected {
  readonly owner: OwnerId;
  /** The DELEGATE with the shorter lock. */
  readonly statement: StatementId;
}

/** @param key - Public key of a signer. */
export function mayObject(authority: Authority, owner: OwnerId, key: string): boolean {
  if (authority.owners.get(owner)?.sign === key) return true;
  const operator = key as OperatorId;
  return authority.operators.has(operator) && !authority.isSuspended(operator);
}

/**
 * Keys that may object to it and have, whichever site tells of it.
 *
 * Signatures are looked at of those keys only: at most so many as there are operators, from each
 * site, and none of a key that was found. So nobody fills the place of a sound one.
 */
export function objectionsTo(
  view: View,
  authority: Authority,
  { owner, statement }: Objected,
): readonly string[] {
  const { meshId: mesh } = authority;
  if (mesh === undefined) return [];
  const prefix = objectionKey(statement, "");
  const found = new Set<string>();
  for (const { key, value } of view.entries("hold", prefix)) {
    const signer = key.slice(prefix.length);
    if (found.has(signer) || parseId(signer) !== signer) continue;
    if (!mayObject(authority, owner, signer)) continue;
    const record = objectionRecord.safeParse(value);
    if (!record.success || record.data.owner !== owner) continue;
    if (isSignedObjection({ mesh, owner, statement }, signer, record.data.signature)) {
      found.add(signer);
    }
  }
  return [...found];
}
