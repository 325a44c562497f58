/**
 * The word of this site on which epoch counts: signed by the daemon without being asked, once for
 * each number.
 */
import { KNOWN_RULES } from "../../protocol/statements/epoch-statement.ts";
import { idOf, type SiteId, type StatementId } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import {
  isUnknown,
  signStatement,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { StatementSet } from "../core/authority/statement-set.ts";

/**
 * The ACK to make now; undefined when there is nothing to say: no epoch after GENESIS, one that is
 * contested, rules that this version does not know, or a word given before.
 */
export function dueAcknowledgement(
  set: StatementSet,
  { meshId: mesh, epoch, rules, sites }: Authority,
  siteKey: SigningKey,
): SignedStatement | undefined {
  const by = idOf<SiteId>(siteKey.publicKey);
  const { n, ids, contested } = epoch;
  const [id] = ids;
  if (mesh === undefined || id === undefined || n === 0 || contested) return undefined;
  if (rules > KNOWN_RULES || !sites.has(by)) return undefined;
  const given = set.all().some(({ body }) => {
    return !isUnknown(body) && body.kind === "ACK" && body.by === by && body.n === n;
  });
  if (given) return undefined;
  const body = { v: 1, kind: "ACK", mesh, by, n, epoch: id as StatementId } as const;
  return signStatement(body, [siteKey]);
}
