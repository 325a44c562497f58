/**
 * The snapshot record: the end of one backup run, and the way in for a restore.
 *
 * It is the only chunk of its kind in the shard that the head names as root. It names the chunks
 * of the root tree and the frames of the index; the index says where everything else is. The
 * shard of the record itself cannot be named in it: an empty id stands for it.
 */
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import { CHUNK_ID_BYTES, MAX_CHUNK_BYTES } from "./chunk.ts";
import { PleachError } from "../error.ts";
import { idBytes, parseId, type ChainId, type SetId, type ShardId } from "../ids.ts";

/** Snapshots before this one that a record lists, newest last; older ones go first. */
export const MAX_HISTORY = 4096;

/** Where an index chunk is; it is alone in its frame. */
export interface FrameAddress {
  /** Undefined: in the shard of the record itself. */
  readonly shard: ShardId | undefined;
  readonly frame: number;
}

/** Why a path is not in the snapshot, or not as it was at one moment. */
export interface Doubt {
  /** For people: bytes that are not UTF-8 are replaced. */
  readonly path: string;
  /** `changed`: while it was read. Else the code of the system, such as `EACCES`: it is missing. */
  readonly reason: string;
}

export interface PastSnapshot {
  readonly chain: ChainId;
  readonly number: number;
  readonly root: ShardId;
  readonly atMs: number;
  readonly files: number;
  readonly bytes: number;
}

export interface SnapshotRecord {
  readonly set: SetId;
  /** Name of the data set, as people call it. */
  readonly name: string;
  readonly chain: ChainId;
  readonly number: number;
  /** Root of the snapshot before this one in the chain. */
  readonly previous: ShardId | null;
  /** When the run ended, milliseconds since 1970. */
  readonly atMs: number;
  /** The paths that were backed up, absolute, as bytes. */
  readonly paths: readonly Uint8Array[];
  /** Chunk ids of the tree of `/`, 32 bytes each. It leads to the paths and to nothing else. */
  readonly tree: Uint8Array;
  readonly index: readonly FrameAddress[];
  /** Regular files, and the bytes they have. */
  readonly files: number;
  readonly bytes: number;
  /** Room that they take on disk: holes do not count, hard-linked files count once. */
  readonly roomBytes: number;
  /** What could not be read and is missing. */
  readonly unreadable: number;
  /** Files that changed while they were read. */
  readonly changed: number;
  /** The first of these and of those, so that a person can be told which. */
  readonly doubts: readonly Doubt[];
  readonly history: readonly PastSnapshot[];
}

/** What the paths and reasons of a record may take together, in bytes. */
const MAX_DOUBTS_BYTES = 64 * 1024;

/** As many as fit in a record. */
export function firstDoubts(doubts: readonly Doubt[]): readonly Doubt[] {
  let bytes = 0;
  const end = doubts.findIndex(({ path, reason }) => {
    bytes += Buffer.byteLength(path) + reason.length + 8;
    return bytes > MAX_DOUBTS_BYTES;
  });
  return end === -1 ? doubts : doubts.slice(0, end);
}

export class SnapshotError extends PleachError<"E-SNAPSHOT-FORM"> {}

export function encodeSnapshot(record: SnapshotRecord): Uint8Array {
  return encodeCbor({
    v: 1,
    set: idBytes(record.set),
    name: record.name,
    chain: idBytes(record.chain),
    number: record.number,
    previous: record.previous === null ? null : idBytes(record.previous),
    atMs: record.atMs,
    paths: record.paths,
    tree: record.tree,
    index: record.index.map(({ shard, frame }) => [shardBytes(shard), frame]),
    files: record.files,
    bytes: record.bytes,
    roomBytes: record.roomBytes,
    unreadable: record.unreadable,
    changed: record.changed,
    doubts: record.doubts.map(({ path, reason }) => [path, reason]),
    history: record.history
      .slice(-MAX_HISTORY)
      .map(({ chain, number, root, atMs, files, bytes }) => [
        idBytes(chain),
        number,
        idBytes(root),
        atMs,
        files,
        bytes,
      ]),
  });
}

/** @throws SnapshotError or CborError when the bytes are no snapshot record. */
export function decodeSnapshot(bytes: Uint8Array): SnapshotRecord {
  const value = decodeCbor(bytes, MAX_CHUNK_BYTES);
  if (value === null || typeof value !== "object") throw malformed("form");
  const fields = new Map(Object.entries(value as { readonly [key: string]: CborValue }));
  if (fields.get("v") !== 1 || fields.size !== 17) throw malformed("version");
  const name = fields.get("name");
  const tree = fields.get("tree");
  if (typeof name !== "string") throw malformed("name");
  if (!(tree instanceof Uint8Array) || tree.length % CHUNK_ID_BYTES !== 0) throw malformed("tree");
  const previous = fields.get("previous") ?? null;
  const counted = (key: string): number => count(fields.get(key));
  return {
    set: id<SetId>(fields.get("set"), 16),
    name,
    chain: id<ChainId>(fields.get("chain"), 16),
    number: counted("number"),
    previous: previous === null ? null : id<ShardId>(previous),
    atMs: counted("atMs"),
    paths: list(fields.get("paths")).map((path) => {
      if (path instanceof Uint8Array && path[0] === 0x2f) return path;
      throw malformed("path");
    }),
    tree,
    index: list(fields.get("index")).map((entry) => {
      const [shard, frame] = list(entry);
      const own = shard instanceof Uint8Array && shard.length === 0;
      return { shard: own ? undefined : id<ShardId>(shard), frame: count(frame) };
    }),
    files: counted("files"),
    bytes: counted("bytes"),
    roomBytes: counted("roomBytes"),
    unreadable: counted("unreadable"),
    changed: counted("changed"),
    doubts: list(fields.get("doubts")).map((entry) => {
      const [path, reason] = list(entry);
      if (typeof path === "string" && typeof reason === "string") return { path, reason };
      throw malformed("doubt");
    }),
    history: list(fields.get("history")).map((entry) => {
      const [chain, number, root, atMs, files, size] = list(entry);
      return {
        chain: id<ChainId>(chain, 16),
        number: count(number),
        root: id<ShardId>(root),
        atMs: count(atMs),
        files: count(files),
        bytes: count(size),
      };
    }),
  };
}

function shardBytes(shard: ShardId | undefined): Uint8Array {
  return shard === undefined ? new Uint8Array(0) : idBytes(shard);
}

function list(value: CborValue | undefined): readonly CborValue[] {
  if (Array.isArray(value)) return value as readonly CborValue[];
  throw malformed("list");
}

function id<Id extends SetId | ChainId | ShardId>(
  value: CborValue | undefined,
  sizeBytes: 16 | 32 = 32,
): Id {
  const found = value instanceof Uint8Array ? parseId<Id>(value, sizeBytes) : undefined;
  if (found === undefined) throw malformed("identifier");
  return found;
}

function count(value: CborValue | undefined): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw malformed("number");
}

function malformed(what: string): SnapshotError {
  return new SnapshotError("E-SNAPSHOT-FORM", `A snapshot record is malformed (${what}).`);
}
