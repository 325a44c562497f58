/**
 * Rules of single types that go beyond the form of their fields: sizes of digests, values that
 * the type's RFC forbids. Each rule is one that a resolver or client would stumble over.
 */
import { TYPE } from "./dns-type.ts";
import { readDnsName } from "./dns-name.ts";

/** Why well-formed data of the type make no sense, or undefined. */
export function checkMeaning(type: number, rdata: Uint8Array): string | undefined {
  switch (type) {
    case TYPE.DS:
    case TYPE.CDS:
      return rdata.length === 5 && rdata[2] === 0
        ? undefined // RFC 8078 section 4: "0 0 0 00" asks the parent to remove all.
        : digestSize(rdata[3], rdata.length - 4, DS_DIGEST_BYTES);
    case TYPE.SSHFP:
      return digestSize(rdata[1], rdata.length - 2, SSHFP_DIGEST_BYTES);
    case TYPE.TLSA:
    case TYPE.SMIMEA:
      return tlsa(rdata);
    case TYPE.DNSKEY:
    case TYPE.CDNSKEY:
      // RFC 4034 section 2.1.2: "The Protocol Field MUST have value 3".
      return rdata[2] === 3 ? undefined : "the protocol must be 3";
    case TYPE.SVCB:
    case TYPE.HTTPS:
      return svcb(rdata);
    case TYPE.CAA:
      return (rdata[1] ?? 0) === 0 ? "the tag is empty" : undefined;
    case TYPE.URI:
      return rdata.length === 4 ? "the target is empty" : undefined;
    default:
      return undefined;
  }
}

/** RFC 4034 appendix A.2, RFC 4509, RFC 6605. */
const DS_DIGEST_BYTES: Readonly<Record<number, number>> = { 1: 20, 2: 32, 4: 48 };
/** RFC 4255 section 3.1.2, RFC 6594. */
const SSHFP_DIGEST_BYTES: Readonly<Record<number, number>> = { 1: 20, 2: 32 };
/** RFC 6698 section 2.1.3. */
const TLSA_DIGEST_BYTES: Readonly<Record<number, number>> = { 1: 32, 2: 64 };

function digestSize(
  kind: number | undefined,
  sizeBytes: number,
  sizes: Readonly<Record<number, number>>,
): string | undefined {
  const wanted = sizes[kind ?? 0];
  if (wanted === undefined || wanted === sizeBytes) return undefined;
  return `a digest of type ${kind} has ${wanted} bytes, this one has ${sizeBytes}`;
}

function tlsa(rdata: Uint8Array): string | undefined {
  const [usage = 0, selector = 0, matching = 0] = rdata;
  if (usage > 3 && usage !== 255) return `usage ${usage} is not one of 0, 1, 2, 3, 255`;
  if (selector > 1 && selector !== 255) return `selector ${selector} is not one of 0, 1, 255`;
  if (matching > 2 && matching !== 255)
    return `matching type ${matching} is not one of 0, 1, 2, 255`;
  return digestSize(matching, rdata.length - 3, TLSA_DIGEST_BYTES);
}

function svcb(rdata: Uint8Array): string | undefined {
  const alias = rdata[0] === 0 && rdata[1] === 0;
  const target = readDnsName(rdata, 2);
  if (!alias || target === undefined || rdata.length === 2 + target.length) return undefined;
  // RFC 9460 section 2.4.2: "recipients MUST ignore any SvcParams that are present" in AliasMode.
  return "priority 0 is an alias and takes no parameters";
}
