/**
 * The worker threads of a backup run, and what the main thread does for them: it gives them work
 * in small portions, stores what they seal, and ends everything at the first fault.
 */
import { Worker } from "node:worker_threads";
import type { ShardTable } from "../../../../protocol/backup/chunk-index.ts";
import { BackupError } from "../error.ts";
import type { FinishedRun } from "../run/finish-run.ts";
import { endWorker } from "./end-worker.ts";
import { finishHere } from "./finish-here.ts";
import type { CheckedFrame } from "./shard-packer.ts";
import { freeAllSlots, newSlots, type SealedShard, type ShardSlots } from "./shard-sealer.ts";
import { ShardOutlet, type SealedShards } from "./shard-outlet.ts";
import { SeenChunks, type SeenLevel } from "./seen-chunks.ts";
import type { Portion } from "../read/stream-cutter.ts";
import type {
  BatchResult,
  FileBatch,
  FromWorker,
  OpenRecord,
  TaggedChunk,
  ToWorker,
  WorkerSetup,
} from "./worker-message.ts";

/** Sealed shards that may wait for the daemon, besides one of each thread. */
const MORE_SLOTS = 1;
/** Batches that a worker has at hand, the one it works on included. */
const BATCHES_AHEAD = 3;

/** Numbers for each file of a batch, and which of them is its size. */
const [FACTS, SIZE_FACT] = [4, 2];
/** Takes a thread about as long as to start another one. */
const BUSY_BYTES = 8 * 1024 * 1024;
/** A worker with so much before it gets no more: what is behind a long file waits for all of it. */
const ENOUGH_BYTES = 64 * 1024 * 1024;

/** Workers make little but short-lived objects; V8 would let 48 MiB of them gather in each. */
const YOUNG_GENERATION_MIB = 4;

/** Chunks, and tables, that fit into the first two slots together with the record. */
const LITTLE_BYTES = 1024 * 1024;

interface Waiter {
  /** Of its batch. */
  readonly bytes: number;
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: Error) => void;
}

interface Member {
  readonly worker: Worker;
  batches: number;
  /** Of its batches. */
  bytes: number;
}

export class WorkerPool {
  readonly #setup: Omit<WorkerSetup, "slots" | "seen">;
  /** Tables of known chunks; a thread that starts later gets all of them. */
  readonly #levels: SeenLevel[];
  readonly #threads: number;
  readonly #slots: ShardSlots;
  readonly #members: Member[] = [];
  readonly #seen: SeenChunks;
  readonly #outlet: ShardOutlet;
  /** Chunks that came before there was a thread. */
  readonly #early: TaggedChunk[] = [];
  #earlyBytes = 0;
  readonly #results = new Map<number, Waiter>();
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => {};
  #nextBatch = 0;
  #wake: () => void = () => {};
  #drained: ((frames: readonly CheckedFrame[]) => void)[] = [];
  #finished: ((end: FinishedRun) => void) | undefined;

  constructor(
    setup: Omit<WorkerSetup, "slots" | "seen">,
    levels: SeenLevel[],
    threads: number,
    store: SealedShards,
  ) {
    this.#seen = new SeenChunks(levels);
    this.#failed = new Promise((_resolve, reject) => {
      this.#fail = (error) => {
        reject(error);
        for (const waiter of this.#results.values()) waiter.reject(error);
        this.#results.clear();
      };
    });
    // Nobody may be waiting at the moment of the fault; whoever waits next hears of it.
    this.#failed.catch(() => {});
    this.#setup = setup;
    this.#levels = levels;
    this.#threads = threads;
    this.#slots = newSlots(threads + MORE_SLOTS);
    this.#outlet = new ShardOutlet(store, this.#slots, (error) => {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** Tables of the shards that were sealed so far. */
  get tables(): readonly ShardTable[] {
    return this.#outlet.tables;
  }

  /** Sealed bytes that are durable. */
  get storedBytes(): number {
    return this.#outlet.storedBytes;
  }

  /** The chunks that are known, shared with the workers. */
  get seen(): SeenChunks {
    return this.#seen;
  }

  /** Waits until a worker takes another batch. */
  async room(): Promise<void> {
    while (this.#members.length === this.#threads && !this.#members.some(takesMore)) {
      await this.#orFail(new Promise<void>((resolve) => (this.#wake = resolve)));
    }
  }

  /** Has a batch of files read. Await {@link room} before. */
  read(files: FileBatch): Promise<BatchResult> {
    return this.#give((batch) => ({ type: "files", batch, files }), sizeOf(files));
  }

  /** Has chunks of a stream named, and stored where they are new. Await {@link room} before. */
  async name(portion: Portion): Promise<Uint8Array> {
    const give = (batch: number): ToWorker => ({ type: "portion", batch, portion });
    const { length, buffer } = portion.bytes;
    return (await this.#give(give, length, [buffer])).ids;
  }

  #give(
    message: (batch: number) => ToWorker,
    bytes: number,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<BatchResult> {
    const level = this.#seen.nextLevel();
    if (level !== undefined) {
      this.#seen.grow(level);
      this.#levels.push(level);
      this.#tellAll({ type: "grow", level });
    }
    const member = this.#freest();
    member.batches += 1;
    member.bytes += bytes;
    const batch = this.#nextBatch++;
    const result = new Promise<BatchResult>((resolve, reject) => {
      this.#results.set(batch, { bytes, resolve, reject });
    });
    tell(member, message(batch), transfer);
    return result;
  }

  /**
   * Who has the least to do. A thread costs as much to start as it takes for some megabytes, so there
   * is none before there is work, and another one when all others have more than that.
   */
  #freest(): Member {
    const [freest] = this.#members.filter(takesMore).toSorted((a, b) => a.bytes - b.bytes);
    const mayStart = this.#members.length < this.#threads;
    if (freest === undefined) return (mayStart ? undefined : this.#members[0]) ?? this.#start();
    return mayStart && freest.bytes >= BUSY_BYTES ? this.#start() : freest;
  }

  /** Has chunks stored that are new. A few of them are no work for a thread. */
  store(chunks: readonly TaggedChunk[]): void {
    const [first] = this.#members;
    if (first !== undefined) return tell(first, { type: "chunks", chunks });
    // Copies: the caller uses its memory again.
    for (const { kind, id, bytes } of chunks) {
      this.#early.push({ kind, id: Uint8Array.from(id), bytes: Uint8Array.from(bytes) });
      this.#earlyBytes += bytes.length;
    }
    if (this.#earlyBytes > LITTLE_BYTES) this.#start();
  }

  /** Closes all open shards and stores the record. Resolves when every shard is durable. */
  async finish(earlierTables: readonly ShardTable[], record: OpenRecord): Promise<FinishedRun> {
    const finished =
      this.#members.length === 0 && lengthOf(earlierTables) <= LITTLE_BYTES
        ? this.#finishHere(earlierTables, record)
        : await this.#finishThere(earlierTables, record);
    await this.#orFail(this.#outlet.durable());
    return finished;
  }

  /** Where next to nothing is new: the last shard takes less than starting a thread. */
  #finishHere(tables: readonly ShardTable[], record: OpenRecord): FinishedRun {
    const onShard = (sealed: SealedShard): void => this.#outlet.keep(sealed);
    const run = { chunks: this.#early, tables, record };
    return finishHere(run, this.#setup.subject, this.#slots, onShard);
  }

  async #finishThere(
    earlierTables: readonly ShardTable[],
    record: OpenRecord,
  ): Promise<FinishedRun> {
    const drained = this.#members.map(async (member) => {
      const frames = new Promise<readonly CheckedFrame[]>((resolve) => this.#drained.push(resolve));
      tell(member, { type: "drain" });
      return this.#orFail(frames);
    });
    const frames = (await Promise.all(drained)).flat();
    const first = this.#members[0] ?? this.#start();
    const end = new Promise<FinishedRun>((resolve) => {
      this.#finished = resolve;
    });
    const tables = [...earlierTables, ...this.#outlet.tables];
    const buffers = frames.flatMap(({ content: { buffer } }) =>
      buffer instanceof ArrayBuffer ? [buffer] : [],
    );
    first.worker.postMessage(
      { type: "finish", frames, tables, record } satisfies ToWorker,
      buffers,
    );
    return this.#orFail(end);
  }

  /** Ends the threads; after a fault they throw away what they have. */
  async close(): Promise<void> {
    this.#outlet.close();
    freeAllSlots(this.#slots);
    await Promise.all(this.#members.map(({ worker }) => endWorker(worker)));
  }

  #start(): Member {
    const worker = new Worker(new URL("./backup-worker.ts", import.meta.url), {
      workerData: { ...this.#setup, slots: this.#slots, seen: this.#levels } satisfies WorkerSetup,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    const member: Member = { worker, batches: 0, bytes: 0 };
    worker.on("message", (message: FromWorker) => this.#take(member, message));
    worker.on("error", (error) => this.#fail(error));
    this.#members.push(member);
    if (this.#early.length > 0) tell(member, { type: "chunks", chunks: this.#early.splice(0) });
    return member;
  }

  #take(member: Member, message: FromWorker): void {
    switch (message.type) {
      case "result": {
        const waiter = this.#results.get(message.batch);
        member.batches -= 1;
        member.bytes -= waiter?.bytes ?? 0;
        waiter?.resolve(message.result);
        this.#results.delete(message.batch);
        this.#wake();
        break;
      }
      case "shard":
        this.#outlet.keep(message.sealed);
        break;
      case "drained":
        this.#drained.shift()?.(message.frames);
        break;
      case "finished":
        this.#finished?.(message);
        break;
      case "failed":
        this.#fail(
          message.code === "E-BACKUP-SELF"
            ? new BackupError("E-BACKUP-SELF", message.message)
            : new Error(message.message),
        );
        break;
    }
  }

  #tellAll(message: ToWorker): void {
    for (const member of this.#members) tell(member, message);
  }

  #orFail<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed]);
  }
}

function takesMore({ batches, bytes }: Member): boolean {
  return batches < BATCHES_AHEAD && bytes < ENOUGH_BYTES;
}

/** Bytes of the files, as they were when they were listed. */
function sizeOf({ facts }: FileBatch): number {
  return facts.reduce((sum, fact, at) => (at % FACTS === SIZE_FACT ? sum + fact : sum), 0);
}

function lengthOf(tables: readonly ShardTable[]): number {
  return tables.reduce((sum, { table }) => sum + table.length, 0);
}

function tell(member: Member, message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
  member.worker.postMessage(message, transfer);
}
