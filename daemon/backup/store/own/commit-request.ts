/** What the client asks to be listed, as it comes through the socket. */
interface RequestedHead {
  readonly chain: string;
  readonly number: number;
  readonly previous: string | null;
  readonly root: string;
  readonly atMs: number;
}

export interface CommitRequest {
  readonly owner: string;
  readonly sealedName: string;
  readonly keyEpoch: number;
  readonly copies: number;
  readonly head: RequestedHead | null;
  /** See next-tips.ts. Default: none. */
  readonly found?: readonly RequestedHead[];
  readonly settled?: readonly string[];
  /** Listed again, wherever they are. Default: none. */
  readonly again?: readonly (readonly [shard: string, sizeBytes: number])[];
  readonly add: readonly (readonly [shard: string, sizeBytes: number])[];
  readonly remove: readonly string[];
}
