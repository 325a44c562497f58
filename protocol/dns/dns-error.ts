/** What is wrong with a name, a type or a value that somebody wants in a zone. */
import { PleachError } from "../error.ts";

export type DnsValueCode =
  /** Not a domain name (RFC 1035 section 2.3.4). */
  | "E-DNS-NAME"
  /** Not a record type, or one that no zone may hold. */
  | "E-DNS-TYPE"
  /** The data do not fit the type. */
  | "E-DNS-VALUE"
  /** Not a time to live. */
  | "E-DNS-TTL";

export class DnsValueError extends PleachError<DnsValueCode> {}
