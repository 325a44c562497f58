/** What the main thread of a verification and its workers say to one another. */
import type { ShardId } from "../../../../protocol/ids.ts";
import type { CheckKeys, ShardCheck } from "./shard-check.ts";

export interface VerifySetup extends CheckKeys {
  /** Where the daemon keeps the shards of the set. */
  readonly folder: string;
}

export interface VerifyJob {
  readonly shard: ShardId;
  /** What the index says of it; undefined when it does not name it. */
  readonly table: Uint8Array | undefined;
  /** Undefined: the worker reads the file. */
  readonly given: Uint8Array | undefined;
}

/** A shard that is not in the store, or a file that cannot be read. */
export type VerifyOutcome = ShardCheck | { readonly state: "missing" };

export type FromVerifyWorker =
  | { readonly type: "checked"; readonly outcome: VerifyOutcome }
  | { readonly type: "failed"; readonly message: string };
