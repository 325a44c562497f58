/**
 * What the plaintext side needs of the daemon: a place for sealed shards, and their lists.
 *
 * Filled by the commands with the control socket. Everything that goes through here is ciphertext
 * or an identifier.
 */
import type { Head } from "../../../protocol/backup/head.ts";
import type { OwnerId, ShardId } from "../../../protocol/ids.ts";
import type { SignedReceipt } from "../../../protocol/backup/receipt.ts";

/** Where shards of one data set are read. */
export interface ShardSource {
  /** Bytes that the daemon holds or fetched from a holder; the reader verifies them again. */
  get(shard: ShardId): Promise<Uint8Array>;
}

export interface CommitRequest {
  readonly owner: OwnerId;
  readonly sealedName: Uint8Array;
  readonly keyEpoch: number;
  /** How many remote sites are wanted. */
  readonly copies: number;
  /** Null while a run is under way: the head stays what it was. */
  readonly head: Head | null;
  /** Newest snapshots of other lines that have turned up. Default: none. */
  readonly found?: readonly Head[];
  /** Roots of such snapshots that the history of the head names now. Default: none. */
  readonly settled?: readonly ShardId[];
  /** Shards that no list names any more and that holders keep: listed again. Default: none. */
  readonly again?: readonly (readonly [ShardId, sizeBytes: number])[];
  readonly add: readonly (readonly [ShardId, sizeBytes: number])[];
  /** What the lists name no longer. Default: nothing. */
  readonly remove?: readonly ShardId[];
}

/** What the daemon knows of a data set of ours. */
export interface SetState {
  /** Head of its newest list; null before the first run. */
  readonly head: Head | null;
  /** Newest snapshots of other lines, which stand beside it until a person settles them. */
  readonly tips: readonly Head[];
  /** The head that this box had when it was found older than what it had published; null: it was not. */
  readonly setBackTo: { readonly head: Head | null } | null;
  /** Every shard of the newest lists that was not found lost. */
  readonly shards: ReadonlySet<ShardId>;
}

/** What has to be known before keys are changed. */
export interface KeyState extends SetState {
  /** Key epoch of the newest commit. */
  readonly keyEpoch: number;
  /** Remote sites wanted. */
  readonly copies: number;
  /** Where the daemon keeps the shards of the set. */
  readonly folder: string;
}

/** One data set of this site. */
export interface SetStore extends ShardSource {
  /** Undefined when the daemon has never heard of the data set. */
  state(): Promise<SetState | undefined>;
  /** Every head of the set that this site or a member that answers now knows, in any order. */
  heads(): Promise<readonly Head[]>;
  /**
   * Resolves when the shard is durable in the local store.
   *
   * @param onSent - Called as soon as the memory of the bytes may be used again; never, when it may
   *   be after that only.
   */
  put(shard: ShardId, bytes: Uint8Array, onSent?: () => void): Promise<void>;
  /**
   * Resolves when lists and head are durable; then the shards are spread.
   *
   * @returns Shards of the whole data set, and their bytes.
   */
  commit(request: CommitRequest): Promise<{ readonly shards: number; readonly bytes: number }>;
}

/** What is asked before the key of an epoch is erased. */
export interface KeyStore extends ShardSource {
  state(): Promise<KeyState | undefined>;
  /** Receipts of other sites for a shard of the newest lists, as they count now. */
  receipts(shard: ShardId): Promise<readonly SignedReceipt[]>;
}
