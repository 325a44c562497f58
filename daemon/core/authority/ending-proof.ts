/**
 * What a site that was ended has to be told to see it by itself.
 *
 * All votes and epochs, for the end may stand at the end of a row of them; the statement that names
 * the site; and whatever these build on. Nothing that was signed after all of them: it is no business
 * of somebody who is no member.
 */
import { openOwnerClaim } from "../../../protocol/statements/owner-statement.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import { openSiteRelease } from "../../../protocol/statements/site-statement.ts";
import { idOf, type OwnerId, type SiteId } from "../../../protocol/ids.ts";
import {
  isChained,
  isGenesis,
  isUnknown,
  type SignedStatement,
} from "../../../protocol/statements/statement.ts";
import { compareStatements } from "./decisions.ts";

/** In the order in which each finds what it builds on. The order of `statements` has no influence. */
export function endingProof(
  statements: readonly SignedStatement[],
  site: SiteId,
): readonly SignedStatement[] {
  const byId = new Map<string, SignedStatement>(statements.map((each) => [each.id, each]));
  const contested = contestedNumbers(statements);
  const owners = releasers(statements, site);
  const proof = new Set<SignedStatement>();
  const open = statements.filter((each) => isCause(each, site, contested, owners));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (proof.has(next)) continue;
    proof.add(next);
    for (const id of builtOn(next)) {
      const before = byId.get(id);
      if (before !== undefined) open.push(before);
    }
  }
  const ordered = [...proof].toSorted(compareStatements);
  // Acknowledgements stand in no chain, and need the epoch that they are for.
  const isFree = ({ body }: SignedStatement): boolean => !isChained(body) && !isGenesis(body);
  return [...ordered.filter((each) => !isFree(each)), ...ordered.filter(isFree)];
}

function isCause(
  { body }: SignedStatement,
  site: SiteId,
  contested: ReadonlySet<number>,
  owners: ReadonlySet<SignerId>,
): boolean {
  if (isGenesis(body)) return true;
  if (isUnknown(body)) return false;
  switch (body.kind) {
    case "EPOCH":
    case "VOTE":
      return true;
    case "ACK":
      return contested.has(body.n);
    case "LEAVE":
      return body.by === site;
    case "SITE":
      return body.release !== null && openSiteRelease(body.release)?.old === site;
    case "OWNER": {
      const claim = openOwnerClaim(body);
      return claim !== undefined && (owners.has(claim.sign) || owners.has(claim.owner));
    }
    case "DELEGATE":
      return owners.has(body.by);
    case "GRANT":
    case "UNGRANT":
    case "SUSPEND":
    case "UNSUSPEND":
    case "FORK_PROOF":
      return false;
  }
}

/** Numbers with several epochs, of which acknowledgements choose. */
function contestedNumbers(statements: readonly SignedStatement[]): ReadonlySet<number> {
  const once = new Set<number>();
  const contested = new Set<number>();
  for (const { body } of statements) {
    if (isUnknown(body) || body.kind !== "EPOCH") continue;
    (once.has(body.n) ? contested : once).add(body.n);
  }
  return contested;
}

/** Owners that have released the site, whose word has to be known. */
function releasers(statements: readonly SignedStatement[], site: SiteId): ReadonlySet<SignerId> {
  const owners = new Set<SignerId>();
  for (const { body } of statements) {
    if (isUnknown(body) || body.kind !== "SITE" || body.release === null) continue;
    if (openSiteRelease(body.release)?.old !== site) continue;
    owners.add(idOf<OwnerId>(body.release.key));
  }
  return owners;
}

function builtOn({ body }: SignedStatement): readonly string[] {
  if (!isChained(body)) return [];
  if (isUnknown(body) || body.kind !== "EPOCH") return [body.prev];
  return [body.prev, ...body.parents, ...body.chains.map(({ head }) => head)];
}
