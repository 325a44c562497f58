/**
 * SITE: an operator enrols a site.
 *
 * It wraps a request that the applicant signed with its site key before it knew the operator's
 * chain, so an operator cannot enrol a key that did not ask. With a release it also ends another
 * site, whose place the new one takes.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import { idBytes, type MeshId, type SiteId } from "../ids.ts";
import { logHeadsField } from "../logs/log-head.ts";
import { classNameField } from "../logs/record-class.ts";
import { sign, verify, type SigningKey } from "../keys/signature.ts";
import { statementHeadFields } from "./statement-head.ts";
import { bytesField, idField, siteNameField, textField } from "../encoding/wire-field.ts";

const REQUEST_DOMAIN = "pleach/site-request/1";
const RELEASE_DOMAIN = "pleach/site-release/1";
const MAX_REQUEST_BYTES = 1024;
/** As many ends of logs as it may name, each of some 75 bytes. */
export const MAX_RELEASE_BYTES = 44 * 1024;

/** What fails together: two sites that share one of these are one risk. Empty: not said. */
const domainsField = z.object({
  building: textField(64),
  power: textField(64),
  uplink: textField(64),
  /** ISO 3166-1 alpha-2, or empty. */
  country: z.string().regex(/^(?:[A-Z]{2})?$/),
});
export type FailureDomains = z.output<typeof domainsField>;

const siteRequest = z.object({
  v: z.literal(1),
  mesh: idField<MeshId>(),
  key: idField<SiteId>(),
  name: siteNameField,
  org: textField(64),
  /** Where it stands, in words. */
  place: textField(128),
  domains: domainsField,
});
export type SiteRequest = z.output<typeof siteRequest>;

const siteRelease = z.object({
  v: z.literal(1),
  mesh: idField<MeshId>(),
  /** The site that ends. */
  old: idField<SiteId>(),
  /** The site that takes its place. */
  new: idField<SiteId>(),
  /** The last entry of each log of the old site that still counts. Logs not named do not. */
  heads: logHeadsField(),
});
export type SiteRelease = z.output<typeof siteRelease>;

export const siteBody = z.object({
  ...statementHeadFields,
  kind: z.literal("SITE"),
  /** A signed {@link SiteRequest}. */
  request: bytesField(1, MAX_REQUEST_BYTES),
  requestSignature: bytesField(64, 64),
  /** The classes it may write, those of later versions, too; `zone` and `policy` need a GRANT. */
  classes: z.array(classNameField).max(32),
  /** A {@link SiteRelease} signed by the old site's key, or by the owner that delegated to it. */
  release: z
    .object({
      bytes: bytesField(1, MAX_RELEASE_BYTES),
      key: bytesField(32, 32),
      signature: bytesField(64, 64),
    })
    .nullable(),
});
export type SiteBody = z.output<typeof siteBody>;

/** The applicant's part of a SITE statement. */
export function signSiteRequest(
  siteKey: SigningKey,
  request: Omit<SiteRequest, "v">,
): Pick<SiteBody, "request" | "requestSignature"> {
  const bytes = encodeCbor(z.encode(siteRequest, { v: 1, ...request }));
  return { request: bytes, requestSignature: sign(siteKey, REQUEST_DOMAIN, bytes) };
}

/** What was opened before: authority is computed again and again from the same statements. */
const opened = new WeakMap<object, SiteRequest | SiteRelease>();

/** The request, or undefined when its form or signature is wrong. */
export function openSiteRequest(
  body: Pick<SiteBody, "request" | "requestSignature">,
): SiteRequest | undefined {
  const known = opened.get(body);
  if (known !== undefined && "key" in known) return known;
  const request = parse(siteRequest, body.request, MAX_REQUEST_BYTES);
  if (request === undefined) return undefined;
  if (!verify(idBytes(request.key), REQUEST_DOMAIN, body.request, body.requestSignature)) {
    return undefined;
  }
  opened.set(body, request);
  return request;
}

/** Ends a site in favour of another, signed by the old site's key or by its owner's key O. */
export function signSiteRelease(
  key: SigningKey,
  release: Omit<SiteRelease, "v">,
): NonNullable<SiteBody["release"]> {
  const bytes = encodeCbor(z.encode(siteRelease, { v: 1, ...release }));
  return { bytes, key: key.publicKey, signature: sign(key, RELEASE_DOMAIN, bytes) };
}

/** The release, or undefined when its form or signature is wrong. Whose key it is, is not checked. */
export function openSiteRelease(
  release: NonNullable<SiteBody["release"]>,
): SiteRelease | undefined {
  const known = opened.get(release);
  if (known !== undefined && "old" in known) return known;
  const parsed = parse(siteRelease, release.bytes, MAX_RELEASE_BYTES);
  if (parsed === undefined) return undefined;
  if (!verify(release.key, RELEASE_DOMAIN, release.bytes, release.signature)) return undefined;
  opened.set(release, parsed);
  return parsed;
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  bytes: Uint8Array,
  maxBytes: number,
): z.output<Schema> | undefined {
  try {
    return schema.safeParse(decodeCbor(bytes, maxBytes)).data;
  } catch {
    return undefined;
  }
}
