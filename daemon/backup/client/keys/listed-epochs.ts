/**
 * Which listed shards are of which key epoch: by the newest index, and where that names none, by
 * the headers of the shards that it does not name (of older snapshots, or of an unfinished run).
 */
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import { PleachError } from "../../../../protocol/error.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { parseShardHeader, type ShardHeader } from "../../../../protocol/backup/shard.ts";
import { readLocalHeader } from "../local-shard.ts";
import type { KeyState, ShardSource } from "../port.ts";
import type { SetKeyFile } from "./set-key-file.ts";

/** A shard's header: of its file, or of what the daemon gives. Undefined: it cannot be had now. */
export async function headerOf(
  source: ShardSource,
  folder: string | undefined,
  { owner, set }: Pick<SetKeyFile, "owner" | "set">,
  shard: ShardId,
): Promise<ShardHeader | undefined> {
  try {
    const local = folder === undefined ? undefined : readLocalHeader(folder, shard);
    const header = parseShardHeader(local ?? (await source.get(shard)));
    return header.owner === owner && header.set === set ? header : undefined;
  } catch (error) {
    if (error instanceof PleachError) return undefined;
    throw error;
  }
}

export class ListedEpochs {
  readonly copies: number;
  readonly #keys: SetKeyFile;
  readonly #source: ShardSource;
  readonly #state: KeyState;
  readonly #tables: readonly ShardTable[];
  /** By epoch; undefined while nobody asked. */
  #unindexed: ReadonlyMap<number, readonly ShardId[]> | undefined;
  /** Whether there are listed shards whose epoch cannot be told now. */
  #isUnsure = false;

  /** @param tables - Of the newest index, the oldest first. */
  constructor(
    keys: SetKeyFile,
    source: ShardSource,
    state: KeyState,
    tables: readonly ShardTable[],
  ) {
    this.copies = state.copies;
    this.#keys = keys;
    this.#source = source;
    this.#state = state;
    this.#tables = tables;
  }

  /** Empty: there is none, for certain. Undefined: none is known, and there may be some. */
  async shardsOf(epoch: number): Promise<readonly ShardId[] | undefined> {
    const indexed = this.#tables.flatMap(({ shard, keyEpoch }) =>
      shard !== undefined && keyEpoch === epoch && this.#state.shards.has(shard) ? [shard] : [],
    );
    if (indexed.length > 0) return indexed;
    this.#unindexed ??= await this.#readHeaders();
    const found = this.#unindexed.get(epoch) ?? [];
    return found.length === 0 && this.#isUnsure ? undefined : found;
  }

  async #readHeaders(): Promise<ReadonlyMap<number, readonly ShardId[]>> {
    const indexed = new Set(this.#tables.map(({ shard }) => shard));
    const byEpoch = new Map<number, ShardId[]>();
    for (const shard of this.#state.shards) {
      if (indexed.has(shard)) continue;
      const header = await headerOf(this.#source, this.#state.folder, this.#keys, shard);
      if (header === undefined) this.#isUnsure = true;
      else byEpoch.set(header.keyEpoch, [...(byEpoch.get(header.keyEpoch) ?? []), shard]);
    }
    return byEpoch;
  }
}
