import { PleachError } from "../../../protocol/error.ts";

/**
 * Why an exchange with a peer ended early. It costs nothing but time: the next round goes on from
 * what is stored.
 */
export class SyncError extends PleachError<
  | "E-SYNC-MESH"
  | "E-SYNC-VERSION"
  | "E-SYNC-BUSY"
  | "E-SYNC-MEMBER"
  | "E-SYNC-ORDER"
  | "E-SYNC-SIZE"
  | "E-SYNC-STOPPED"
> {}
