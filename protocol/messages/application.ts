/**
 * What an applicant asks an operator to sign: every part signed by the applicant already.
 *
 * The site's request; with a new owner, the owner's claim; with any owner, the DELEGATE that
 * makes the site the writer of its own backups; and when it replaces a lost site, the release of
 * that one. Here is decided whether the parts fit one another; whether they fit the mesh (names,
 * known owners) is for whoever receives it.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import type { DelegateBody } from "../statements/delegate-statement.ts";
import type { MeshId } from "../ids.ts";
import {
  openOwnerClaim,
  ownerClaimId,
  type OwnerBody,
  type OwnerClaim,
} from "../statements/owner-statement.ts";
import {
  MAX_RELEASE_BYTES,
  openSiteRelease,
  openSiteRequest,
  type SiteBody,
  type SiteRelease,
  type SiteRequest,
} from "../statements/site-statement.ts";
import {
  decodeStatement,
  encodeStatement,
  maxStatementBytes,
  type SignedStatement,
} from "../statements/statement.ts";
import { bytesField, idField } from "../encoding/wire-field.ts";

/** A request and a claim of 1 KiB, a release, a statement of 4 KiB, signatures. */
export const MAX_APPLICATION_BYTES = MAX_RELEASE_BYTES + 8 * 1024;

/** The parts as they go into SITE and OWNER. */
export interface ApplicationParts {
  readonly site: Pick<SiteBody, "request" | "requestSignature">;
  readonly owner: Pick<OwnerBody, "claim" | "claimSignatures"> | null;
  readonly delegate: SignedStatement | null;
  readonly release: SiteBody["release"];
}

/** An application whose signatures are right and whose parts fit one another. */
export interface Application {
  readonly parts: ApplicationParts;
  readonly request: SiteRequest;
  /** A new owner. */
  readonly claim: OwnerClaim | undefined;
  /** Body of the DELEGATE. */
  readonly delegate: DelegateBody | undefined;
  readonly release: SiteRelease | undefined;
}

const APPLICATION = z.strictObject({
  v: z.literal(1),
  site: z.strictObject({ request: bytesField(1, 1024), requestSignature: bytesField(64, 64) }),
  owner: z
    .strictObject({
      claim: bytesField(1, 1024),
      claimSignatures: z
        .array(z.strictObject({ key: idField(), signature: bytesField(64, 64) }))
        .length(1),
    })
    .nullable(),
  delegate: bytesField(1, maxStatementBytes("DELEGATE")).nullable(),
  release: z
    .strictObject({
      bytes: bytesField(1, MAX_RELEASE_BYTES),
      key: bytesField(32, 32),
      signature: bytesField(64, 64),
    })
    .nullable(),
});

export function encodeApplication(parts: ApplicationParts): Uint8Array {
  const delegate = parts.delegate === null ? null : encodeStatement(parts.delegate);
  return encodeCbor(z.encode(APPLICATION, { v: 1, ...parts, delegate }) as CborValue);
}

/** Undefined for bytes of another form, a wrong signature, and parts that do not fit. */
export function openApplication(bytes: Uint8Array): Application | undefined {
  try {
    const { site, owner, delegate, release } = APPLICATION.parse(
      decodeCbor(bytes, MAX_APPLICATION_BYTES),
    );
    const statement = delegate === null ? null : decodeStatement(delegate);
    return fit({ site, owner, delegate: statement, release } as ApplicationParts);
  } catch {
    return undefined;
  }
}

function fit(parts: ApplicationParts): Application | undefined {
  const request = openSiteRequest(parts.site);
  if (request === undefined) return undefined;
  const claim = parts.owner === null ? undefined : openOwnerClaim(parts.owner);
  if ((claim === undefined) !== (parts.owner === null)) return undefined;
  if (claim !== undefined && !isFirstClaim(claim, request.mesh)) return undefined;
  const body = parts.delegate?.body;
  const delegate = body?.kind === "DELEGATE" && !("known" in body) ? body : undefined;
  if ((delegate === undefined) !== (parts.delegate === null)) return undefined;
  if (delegate !== undefined && !isForSite(delegate, request)) return undefined;
  if (claim !== undefined && !follows(delegate, claim, parts)) return undefined;
  const release = parts.release === null ? undefined : openSiteRelease(parts.release);
  if ((release === undefined) !== (parts.release === null)) return undefined;
  if (release !== undefined && (release.new !== request.key || release.mesh !== request.mesh)) {
    return undefined;
  }
  return { parts, request, claim, delegate, release };
}

function isFirstClaim(claim: OwnerClaim, mesh: MeshId): boolean {
  const first = claim.seq === 1 && (claim.prev as string) === mesh;
  return claim.mesh === mesh && claim.owner === claim.sign && first;
}

function isForSite(delegate: DelegateBody, request: SiteRequest): boolean {
  return (
    delegate.mesh === request.mesh &&
    delegate.site === request.key &&
    delegate.set === null &&
    delegate.lastList === null &&
    delegate.lastHead === null
  );
}

/** A new owner without a word for its site would be one that nobody can back up for. */
function follows(
  delegate: DelegateBody | undefined,
  claim: OwnerClaim,
  parts: ApplicationParts,
): boolean {
  return (
    delegate !== undefined &&
    parts.owner !== null &&
    delegate.owner === claim.owner &&
    (delegate.by as string) === claim.owner &&
    delegate.seq === 2 &&
    delegate.prev === ownerClaimId(parts.owner.claim)
  );
}
