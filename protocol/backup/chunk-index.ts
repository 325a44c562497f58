/**
 * The index of chunks: the tables of shards, gathered, so that a reader learns from a few chunks
 * which shards it needs.
 *
 * CBOR `{v: 1, tables: [[shard id, size, key epoch, table]…]}`. The shard that holds the index itself cannot
 * be named in it, because its name is a hash over it: there, the id is empty and the size 0.
 */
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import { MAX_CHUNK_BYTES } from "./chunk.ts";
import { PleachError } from "../error.ts";
import { idBytes, parseId, type ShardId } from "../ids.ts";
import { isKeyEpoch } from "./shard.ts";
import { isShardSize } from "./shard-id.ts";

export interface ShardTable {
  /** Undefined: the shard that this index chunk lies in. */
  readonly shard: ShardId | undefined;
  /** Size of the shard in bytes; 0 for the own one. */
  readonly sizeBytes: number;
  /** Key epoch that the content of the shard is sealed with. */
  readonly keyEpoch: number;
  /** As shard-table.ts encodes it. */
  readonly table: Uint8Array;
}

export class IndexError extends PleachError<"E-INDEX-FORM"> {}

export function encodeIndex(tables: readonly ShardTable[]): Uint8Array {
  return encodeCbor({
    v: 1,
    tables: tables.map(({ shard, sizeBytes, keyEpoch, table }) => [
      shard === undefined ? new Uint8Array(0) : idBytes(shard),
      sizeBytes,
      keyEpoch,
      table,
    ]),
  });
}

/** @throws IndexError or CborError when the bytes are no index. */
export function decodeIndex(bytes: Uint8Array): readonly ShardTable[] {
  const value = decodeCbor(bytes, MAX_CHUNK_BYTES);
  if (value === null || typeof value !== "object" || !("tables" in value)) throw malformed();
  const { v, tables } = value;
  if (v !== 1 || Object.keys(value).length !== 2 || !Array.isArray(tables)) throw malformed();
  return tables.map((entry): ShardTable => {
    if (!Array.isArray(entry) || entry.length !== 4) throw malformed();
    const [id, sizeBytes, keyEpoch, table] = entry as unknown[];
    if (!(id instanceof Uint8Array) || !(table instanceof Uint8Array)) throw malformed();
    if (typeof keyEpoch !== "number" || !isKeyEpoch(keyEpoch)) throw malformed();
    if (id.length === 0 && sizeBytes === 0) return { shard: undefined, sizeBytes, keyEpoch, table };
    const shard = parseId<ShardId>(id);
    if (shard === undefined || typeof sizeBytes !== "number" || !isShardSize(sizeBytes)) {
      throw malformed();
    }
    return { shard, sizeBytes, keyEpoch, table };
  });
}

function malformed(): IndexError {
  return new IndexError("E-INDEX-FORM", "An index of chunks is malformed.");
}
