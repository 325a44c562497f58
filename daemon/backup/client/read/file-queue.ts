/**
 * Files on their way to the workers, in batches: one message for a hundred small files, one for
 * each large one.
 */
import type { FileEntry } from "../../../../protocol/backup/tree.ts";
import { CHUNK_ID_BYTES } from "../../../../protocol/backup/chunk.ts";
import type { ReadOutcome } from "./hard-links.ts";
import { joined, type BatchResult, type FileBatch } from "../seal/worker-message.ts";

/** A batch ends when it passes one of these. Many small batches keep all threads busy. */
const BATCH_FILES = 128;
const BATCH_BYTES = 4 * 1024 * 1024;

export interface QueuedFile {
  /** Descriptor of its directory; stays open until the outcome is told. */
  readonly folderFd: number;
  readonly entry: FileEntry;
  /** Told once: the complete entry, or why there is none. */
  readonly onRead: (outcome: ReadOutcome) => void;
}

/** The part of the worker pool that is needed here. */
export interface FileReaders {
  room(): Promise<void>;
  read(files: FileBatch): Promise<BatchResult>;
}

export class FileQueue {
  readonly #readers: FileReaders;
  #files: QueuedFile[] = [];
  #bytes = 0;
  readonly #running = new Set<Promise<void>>();
  #fault: Error | undefined;

  constructor(readers: FileReaders) {
    this.#readers = readers;
  }

  /** Takes a file. Await the promise, if there is one, before the next: the readers are busy. */
  add(file: QueuedFile): Promise<void> | undefined {
    this.#files.push(file);
    this.#bytes += file.entry.sizeBytes;
    const full = this.#files.length >= BATCH_FILES || this.#bytes >= BATCH_BYTES;
    return full ? this.flush() : undefined;
  }

  /** Hands over what has gathered. */
  async flush(): Promise<void> {
    const files = this.#files;
    this.#files = [];
    this.#bytes = 0;
    if (files.length === 0) return;
    await this.#readers.room();
    this.#check();
    const running = this.#readers.read(pack(files)).then(
      (result) => {
        this.#running.delete(running);
        tell(files, result);
      },
      (error: unknown) => {
        this.#fault ??= error instanceof Error ? error : new Error(String(error));
      },
    );
    this.#running.add(running);
  }

  /** Resolves when every file was read. Rejects with the first fault of the readers. */
  async drain(): Promise<void> {
    await this.flush();
    await Promise.all(this.#running);
    this.#check();
  }

  #check(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }
}

function pack(files: readonly QueuedFile[]): FileBatch {
  const facts = new Float64Array(files.length * 4);
  files.forEach(({ folderFd, entry: { name, sizeBytes, inode } }, at) => {
    facts.set([folderFd, name.length, sizeBytes, inode], at * 4);
  });
  return { names: joined(files.map(({ entry }) => entry.name)), facts };
}

function tell(files: readonly QueuedFile[], result: BatchResult): void {
  const extentsOf = new Map(result.extents.map(({ file, extents }) => [file, extents]));
  const reasonOf = new Map(result.failures.map(({ file, reason }) => [file, reason]));
  let at = 0;
  files.forEach(({ entry, onRead }, file) => {
    const [count = 0, sizeBytes = 0, changed = 0] = result.facts.subarray(file * 3);
    if (count < 0) {
      onRead({ reason: reasonOf.get(file) ?? "unknown" });
      return;
    }
    const chunks = result.ids.subarray(at, at + count * CHUNK_ID_BYTES);
    at += chunks.length;
    const extents = extentsOf.get(file);
    onRead({ ...entry, sizeBytes, chunks, extents, changed: changed === 1 });
  });
}
