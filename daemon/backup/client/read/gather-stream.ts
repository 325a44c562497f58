/**
 * The snapshot of a stream: standard input, or what a program prints, as one file below `/`.
 *
 * How long it gets is known at its end only. When it breaks off, its source throws, and so does
 * the run: what came until then is stored, and no snapshot names it.
 */
import { chunkIdOf, CHUNK_ID_BYTES } from "../../../../protocol/backup/chunk.ts";
import { gearTable } from "../../../../protocol/backup/chunk-cut.ts";
import { release } from "../../../../protocol/backup/frame.ts";
import { chunkIdKey, cutKey } from "../../../../protocol/backup/set-keys.ts";
import { encodeTrees } from "../../../../protocol/backup/tree-encode.ts";
import type { FileEntry, Timestamp } from "../../../../protocol/backup/tree.ts";
import { fitsTree } from "./content-plan.ts";
import { BackupError } from "../error.ts";
import { StreamCutter, type Portion } from "./stream-cutter.ts";
import type { TreeOutlet } from "../seal/tree-outlet.ts";
import type { WalkFigures } from "./walk.ts";
import type { Cut } from "../seal/worker-message.ts";
import type { WorkerPool } from "../seal/worker-pool.ts";

/** Portions on their way to the threads, some 6 MiB each. */
const MAX_UNDER_WAY = 4;

export interface StreamSource {
  /** Name of the file that the bytes become. */
  readonly fileName: Uint8Array;
  /** Gives all of it once. Throws when it did not come to its end. */
  read(): AsyncIterable<Uint8Array>;
}

interface StreamParts {
  readonly pool: WorkerPool;
  readonly trees: TreeOutlet;
  /** K_set. */
  readonly setKey: Uint8Array;
  readonly cut: Cut;
  readonly now: () => number;
  /** Grow while it runs. */
  readonly figures: WalkFigures;
}

/**
 * @returns The chunk ids of the tree of `/`.
 * @throws BackupError E-BACKUP-SOURCE when nothing came, or too much; what the source throws.
 */
export async function gatherStream(source: StreamSource, parts: StreamParts): Promise<Uint8Array> {
  const { figures, pool, setKey, trees, now } = parts;
  figures.files = 1;
  figures.readFiles = 1;
  const cutter = new StreamCutter(parts.cut === "fixed" ? undefined : gearTable(cutKey(setKey)));
  const ids: Promise<Uint8Array>[] = [];
  const send = async (portion: Portion): Promise<void> => {
    await ids.at(-MAX_UNDER_WAY);
    await pool.room();
    const named = pool.name(portion);
    // Whoever waits for it hears of a fault; nobody may be waiting yet.
    named.catch(() => {});
    ids.push(named);
  };
  for await (const bytes of source.read()) {
    figures.bytes += bytes.length;
    figures.readBytes += bytes.length;
    for (const portion of cutter.add(bytes)) await send(portion);
    release(bytes);
  }
  const last = cutter.end();
  if (last !== undefined) await send(last);
  figures.roomBytes = figures.bytes;
  if (figures.bytes === 0) {
    throw new BackupError("E-BACKUP-SOURCE", "Not one byte came: that is no backup.", {
      hint: "Look at the program that should have given it.",
    });
  }
  const chunks = Buffer.concat(await Promise.all(ids));
  const entry = entryOf(source.fileName, figures.bytes, chunks, now());
  if (!fitsTree(entry)) {
    throw new BackupError("E-BACKUP-SOURCE", "More came than one file of a backup can hold.", {
      hint: "Split it: some 2 TiB are possible.",
    });
  }
  const encoded = encodeTrees([entry]);
  const key = chunkIdKey(setKey, "tree");
  const tree = Buffer.alloc(encoded.length * CHUNK_ID_BYTES);
  encoded.forEach((bytes, at) => {
    const id = chunkIdOf(key, bytes);
    tree.set(id, at * CHUNK_ID_BYTES);
    trees.add({ kind: "tree", id, bytes });
  });
  return tree;
}

/** For its owner alone, as the dump of a database should be. */
function entryOf(name: Uint8Array, sizeBytes: number, chunks: Uint8Array, atMs: number): FileEntry {
  const at: Timestamp = { seconds: Math.floor(atMs / 1000), nanos: (atMs % 1000) * 1_000_000 };
  return {
    kind: "file",
    name,
    mode: 0o600,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    mtime: at,
    xattrs: [],
    sizeBytes,
    chunks,
    extents: undefined,
    link: undefined,
    ctime: at,
    inode: 0,
    changed: false,
  };
}
