/**
 * Which shards a snapshot needs: its index names every shard that it was built on.
 *
 * What frames of indexes name is remembered, because snapshots of one set share most of them.
 */
import { listedOf, type SnapshotLine } from "../../../core/backup/snapshot-line.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import type { PastSnapshot, SnapshotRecord } from "../../../../protocol/backup/snapshot.ts";
import type { ShardReader } from "../shard-reader.ts";

/** Shards, each with its size in bytes where an index tells it. */
export type NamedShards = Map<ShardId, number | undefined>;

export class SnapshotShards {
  readonly #reader: ShardReader;
  readonly #frames = new Map<string, NamedShards>();

  constructor(reader: ShardReader) {
    this.#reader = reader;
  }

  /** All shards that some snapshots need. @throws PleachError when one of them cannot be read. */
  async of(snapshots: readonly Pick<PastSnapshot, "root">[]): Promise<NamedShards> {
    const needed: NamedShards = new Map();
    for (const { root } of snapshots) {
      await this.#addTo(needed, root, await this.#reader.snapshot(root));
    }
    return needed;
  }

  /**
   * All shards that a snapshot needs; undefined when some of them are listed no more.
   *
   * @throws PleachError when its record or its index cannot be read although it is listed.
   */
  async ifListed(root: ShardId, listed: ReadonlySet<ShardId>): Promise<NamedShards | undefined> {
    if (!listed.has(root)) return undefined;
    const record = await this.#reader.snapshot(root);
    if (record.index.some(({ shard = root }) => !listed.has(shard))) return undefined;
    const needed: NamedShards = new Map();
    await this.#addTo(needed, root, record);
    return needed.keys().every((shard) => listed.has(shard)) ? needed : undefined;
  }

  /** The snapshots of a line of which everything is listed still; the others were forgotten. */
  async left(line: SnapshotLine, listed: ReadonlySet<ShardId>): Promise<PastSnapshot[]> {
    const left: PastSnapshot[] = [];
    for (const snapshot of listedOf(line, listed)) {
      if ((await this.ifListed(snapshot.root, listed)) !== undefined) left.push(snapshot);
    }
    return left;
  }

  async #addTo(needed: NamedShards, root: ShardId, record: SnapshotRecord): Promise<void> {
    const add = (shard: ShardId, sizeBytes: number | undefined): void => {
      needed.set(shard, sizeBytes ?? needed.get(shard));
    };
    add(root, undefined);
    for (const { shard = root, frame } of record.index) {
      add(shard, undefined);
      for (const [named, sizeBytes] of await this.#namedBy(record, shard, frame)) {
        add(named, sizeBytes);
      }
    }
  }

  async #namedBy(record: SnapshotRecord, shard: ShardId, frame: number): Promise<NamedShards> {
    const address = `${shard}:${frame}`;
    const known = this.#frames.get(address);
    if (known !== undefined) return known;
    const named: NamedShards = new Map();
    const index = { ...record, index: [{ shard, frame }] };
    for await (const table of this.#reader.tables(shard, index)) {
      if (table.shard !== undefined) named.set(table.shard, table.sizeBytes);
    }
    this.#frames.set(address, named);
    return named;
  }
}
