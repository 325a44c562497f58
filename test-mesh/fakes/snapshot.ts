/**
 * Snapshots that no sound client would make: sealed as real ones, with any trees in them.
 *
 * For tests of what reads them; whoever has the keys of a data set could make such a thing.
 */
import { randomBytes } from "node:crypto";
import { chunkIdOf } from "../../protocol/backup/chunk.ts";
import { chunkIdKey } from "../../protocol/backup/set-keys.ts";
import { idOf, type ChainId, type OwnerId, type SetId, type ShardId } from "../../protocol/ids.ts";
import type { SnapshotRecord } from "../../protocol/backup/snapshot.ts";
import { encodeTrees } from "../../protocol/backup/tree-encode.ts";
import type { TreeEntry } from "../../protocol/backup/tree.ts";
import { finishRun } from "../../daemon/backup/client/run/finish-run.ts";
import { FrameCodec } from "../../daemon/backup/client/seal/frame-codec.ts";
import { FRAME_BYTES, ShardPacker } from "../../daemon/backup/client/seal/shard-packer.ts";
import { ShardReader } from "../../daemon/backup/client/shard-reader.ts";
import {
  freeSlot,
  newSlots,
  ShardSealer,
  slotBytes,
  type SealedShard,
} from "../../daemon/backup/client/seal/shard-sealer.ts";

const owner = "11".repeat(32) as OwnerId;

/** An entry with what it leads to: the entries of a directory, the bytes of a file. */
export interface Planted {
  readonly entry: TreeEntry;
  readonly below?: readonly Planted[];
  readonly content?: Uint8Array;
}

export interface PlantedSnapshot {
  readonly reader: ShardReader;
  readonly root: ShardId;
  readonly record: SnapshotRecord;
  /** The sealed shards, for changing them. */
  readonly shards: Map<ShardId, Uint8Array>;
}

/** What every entry has, for tests that care about something else. */
export const PLAIN = {
  mode: 0o700,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  mtime: { seconds: 1_000_000_000, nanos: 1 },
  xattrs: [],
} as const;

export function plantFile(name: string | Uint8Array, content: string): Planted {
  const bytes = Buffer.from(content);
  return {
    content: bytes,
    entry: {
      ...PLAIN,
      kind: "file",
      name: Buffer.from(name),
      sizeBytes: bytes.length,
      chunks: new Uint8Array(0),
      extents: undefined,
      link: undefined,
      ctime: PLAIN.mtime,
      inode: 1,
      changed: false,
    },
  };
}

export function plantFolder(name: string | Uint8Array, below: readonly Planted[]): Planted {
  const chunks = new Uint8Array(0);
  return { entry: { ...PLAIN, kind: "directory", name: Buffer.from(name), chunks }, below };
}

export function plantSymlink(name: string | Uint8Array, target: string): Planted {
  const link = { ...PLAIN, kind: "symlink", name: Buffer.from(name) } as const;
  return { entry: { ...link, target: Buffer.from(target) } };
}

/** Seals the trees as they are given: the order and the names of entries are not checked. */
export function plantSnapshot(top: readonly Planted[]): PlantedSnapshot {
  const set = idOf<SetId>(randomBytes(16));
  const setKey = Uint8Array.from(randomBytes(32));
  const epochKey = Uint8Array.from(randomBytes(32));
  const capsule = new Uint8Array(192);
  const slots = newSlots(2);
  const codec = new FrameCodec(FRAME_BYTES);
  const sealer = new ShardSealer(
    { owner, set, keyEpoch: 1, setKey, epochKey, capsule },
    slots,
    codec,
  );
  const shards = new Map<ShardId, Uint8Array>();
  const keep = ({ shard, slot, sizeBytes }: SealedShard): void => {
    shards.set(shard, Uint8Array.from(slotBytes(slots, slot, sizeBytes)));
    freeSlot(slots, slot);
  };
  const packers = {
    data: new ShardPacker(notFull, codec),
    tree: new ShardPacker(notFull, codec),
  };
  const add = (kind: "data" | "tree", bytes: Uint8Array): Uint8Array => {
    const id = chunkIdOf(chunkIdKey(setKey, kind), bytes);
    packers[kind].add(kind, id, bytes);
    return id;
  };
  const treeOf = (planted: readonly Planted[]): Uint8Array => {
    const entries = planted.map(({ entry, below, content }): TreeEntry => {
      if (entry.kind === "directory" && below !== undefined) {
        return { ...entry, chunks: treeOf(below) };
      }
      const filled = entry.kind === "file" && content !== undefined && content.length > 0;
      return filled ? { ...entry, chunks: add("data", content) } : entry;
    });
    return Buffer.concat(encodeTrees(entries).map((tree) => add("tree", tree)));
  };
  const { root, record } = finishRun(
    {
      record: {
        set,
        name: "planted",
        chain: idOf<ChainId>(randomBytes(16)),
        number: 1,
        previous: null,
        atMs: 1,
        paths: [Buffer.from("/")],
        tree: treeOf(top),
        index: [],
        files: 1,
        bytes: 1,
        roomBytes: 1,
        unreadable: 0,
        changed: 0,
        doubts: [],
        history: [],
      },
      frames: [...packers.data.frames(), ...packers.tree.frames()],
      tables: [],
    },
    { sealer, codec, setKey, onShard: keep },
  );
  const source = {
    get: async (shard: ShardId): Promise<Uint8Array> => {
      const bytes = shards.get(shard);
      if (bytes === undefined) throw new Error(`no shard ${shard}`);
      return Uint8Array.from(bytes);
    },
  };
  const reader = new ShardReader(source, { owner, set, setKey, epochs: new Map([[1, epochKey]]) });
  return { reader, root, record, shards };
}

function notFull(): void {
  throw new Error("a planted snapshot fits in one shard");
}
