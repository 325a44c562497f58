/**
 * Whether an application fits the mesh as it is, before an operator is bothered with it.
 *
 * Statements stay for ever, also those without effect; so what could have none is turned away
 * here. That each part is signed and fits the others was checked by `openApplication`.
 */
import type { Application } from "../../../protocol/messages/application.ts";
import type { PeerKey } from "../../../protocol/ids.ts";
import { idOf, type OwnerId, type SiteId } from "../../../protocol/ids.ts";
import type { Authority } from "./authority.ts";

/** What an application cannot be granted for; the words of `Refusal` in join-message.ts. */
export type Unfit = "form" | "name" | "owner" | "replaces";

/** Undefined when an operator may sign it. */
export function unfit(
  application: Application,
  applicant: PeerKey,
  authority: Authority,
): Unfit | undefined {
  const { request, claim, delegate, release } = application;
  if (request.mesh !== authority.meshId || (request.key as PeerKey) !== applicant) return "form";
  if (authority.endedSites.has(request.key)) return "form";
  const named = authority.siteNamed(request.name);
  if (named !== undefined && named.siteId !== request.key && named.siteId !== release?.old) {
    return "name";
  }
  if (claim !== undefined && authority.owners.has(claim.owner)) return "owner";
  if (claim === undefined && delegate !== undefined) {
    const owner = authority.owners.get(delegate.owner);
    if (owner === undefined || (delegate.by as OwnerId) !== owner.sign) return "owner";
  }
  if (release !== undefined && !mayRelease(application, authority)) return "replaces";
  return undefined;
}

/** The old site itself, or an owner that had delegated to it, may end it. */
function mayRelease({ release, parts }: Application, authority: Authority): boolean {
  if (release === undefined || parts.release === null) return false;
  if (!authority.sites.has(release.old)) return false;
  const signer = parts.release.key;
  if (idOf<SiteId>(signer) === release.old) return true;
  return authority.delegations.some(
    ({ site, owner }) =>
      site === release.old && authority.owners.get(owner)?.sign === idOf<OwnerId>(signer),
  );
}
