import { PleachError } from "../../protocol/error.ts";

export class DnsError extends PleachError<
  /** A configured address cannot be listened on. */
  | "E-DNS-LISTEN"
  /** No zone of this mesh holds the name, or there is one already. */
  | "E-DNS-ZONE"
  /** What should be removed is not there. */
  | "E-DNS-RECORD"
  /** No change has this number here, or somebody has changed since what it changed. */
  | "E-DNS-UNDO"
  /** The record contradicts another one of the name. */
  | "E-DNS-CONFLICT"
  /** A view or a site that there is not, or that do not go together. */
  | "E-DNS-VIEW"
  /** A TSIG key that is not there, or cannot be as it is asked for. */
  | "E-DNS-KEY"
  /** What servers that questions are passed on to are checked by cannot be read. */
  | "E-DNS-UPSTREAM"
> {}
