/** The worker threads of a restore, and the shards that are fetched ahead for them. */
import { Worker } from "node:worker_threads";
import type { PleachError } from "../../../../protocol/error.ts";
import type { ShardId } from "../../../../protocol/ids.ts";
import { endWorker } from "../seal/end-worker.ts";
import { BackupError } from "../error.ts";
import type {
  FromRestoreWorker,
  ItemProblem,
  RestoreSetup,
  ShardJob,
  WriteItem,
} from "./restore-message.ts";
import { contradiction, type ShardReader } from "../shard-reader.ts";

/** Shards that a worker has at hand, the one it works on included: 4 MiB each. */
const SHARDS_AHEAD = 2;
const YOUNG_GENERATION_MIB = 4;

export interface ShardWork {
  readonly shard: ShardId;
  /** Called when the shard is there; what it pins stays pinned until the problems are told. */
  readonly items: () => readonly WriteItem[];
  readonly onDone: (problems: readonly ItemProblem[]) => void;
}

interface Member {
  readonly worker: Worker;
  jobs: number;
}

export class RestorePool {
  readonly #setup: RestoreSetup;
  readonly #reader: ShardReader;
  readonly #threads: number;
  readonly #members: Member[] = [];
  readonly #waiting = new Map<number, { readonly member: Member; readonly resolve: Resolve }>();
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => {};
  #nextJob = 0;

  /** @param threads - At most so many workers; they are started when there is work for them. */
  constructor(setup: RestoreSetup, reader: ShardReader, threads: number) {
    this.#setup = setup;
    this.#reader = reader;
    this.#threads = threads;
    this.#failed = new Promise((_resolve, reject) => (this.#fail = reject));
    // Nobody may be waiting at the moment of the fault; whoever waits next hears of it.
    this.#failed.catch(() => {});
  }

  /** Starts all workers at once, where there is work for all: each takes a tenth of a second. */
  warm(): void {
    while (this.#members.length < this.#threads) this.#start();
  }

  /** Does all the work; each shard is fetched once, some ahead of the workers. */
  async run(work: readonly ShardWork[]): Promise<void> {
    const left = [...work].values();
    const lanes = Array.from({ length: this.#threads * SHARDS_AHEAD }, async () => {
      for (const each of left) await this.#one(each);
    });
    await Promise.race([Promise.all(lanes), this.#failed]);
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ worker }) => endWorker(worker)));
  }

  async #one({ shard, items, onDone }: ShardWork): Promise<void> {
    const { folder } = this.#setup;
    let left: ReadonlyMap<number, WriteItem> | undefined;
    const problems: ItemProblem[] = [];
    if (folder !== undefined) {
      const all = new Map(items().entries());
      const done = await this.#send({ job: this.#nextJob++, shard, given: undefined, items: all });
      problems.push(...done.problems);
      const unwritten = new Set(done.left);
      left = new Map([...all].filter(([item]) => unwritten.has(item)));
    }
    if (left === undefined || left.size > 0) {
      const { bytes, epochKey } = await this.#reader.fetchUnverified(shard);
      const given = { bytes: ownMemory(bytes), epochKey };
      left ??= new Map(items().entries());
      const done = await this.#send({ job: this.#nextJob++, shard, given, items: left });
      problems.push(...done.problems);
    }
    onDone(problems);
  }

  async #send(message: ShardJob): Promise<Done> {
    const { job, given } = message;
    const member = this.#idlest();
    member.jobs += 1;
    const done = new Promise<Done>((resolve) => this.#waiting.set(job, { member, resolve }));
    const memory = given?.bytes.buffer;
    member.worker.postMessage(message, memory instanceof ArrayBuffer ? [memory] : []);
    return done;
  }

  #idlest(): Member {
    const [first, ...others] = this.#members;
    const idlest = others.reduce((a, b) => (a !== undefined && a.jobs <= b.jobs ? a : b), first);
    if (idlest !== undefined && (idlest.jobs === 0 || this.#members.length === this.#threads)) {
      return idlest;
    }
    return this.#start();
  }

  #start(): Member {
    const worker = new Worker(new URL("./restore-worker.ts", import.meta.url), {
      workerData: this.#setup,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    worker.on("message", (message: FromRestoreWorker) => this.#take(message));
    worker.on("error", (error) => this.#fail(error));
    const member = { worker, jobs: 0 };
    this.#members.push(member);
    return member;
  }

  #take(message: FromRestoreWorker): void {
    if (message.type === "failed") {
      this.#fail(faultOf(message.code, message.message));
      return;
    }
    const waiting = this.#waiting.get(message.job);
    this.#waiting.delete(message.job);
    if (waiting === undefined) return;
    waiting.member.jobs -= 1;
    waiting.resolve(message);
  }
}

type Done = Extract<FromRestoreWorker, { type: "done" }>;
type Resolve = (done: Done) => void;

/** Bytes whose memory is theirs alone, so that it can be handed to another thread. */
function ownMemory(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  const whole = byteOffset === 0 && byteLength === buffer.byteLength;
  return whole && buffer instanceof ArrayBuffer ? new Uint8Array(buffer) : Uint8Array.from(bytes);
}

/** What a failed write or a damaged shard means to a person. */
export function faultOf(code: string, message: string): PleachError {
  const changed = "What was restored so far stays in the target.";
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new BackupError("E-RESTORE-SPACE", "The file system of the target is full.", {
      changed,
      hint: "Make room and run the same command again: it goes on where it stopped.",
    });
  }
  if (code.startsWith("E-SHARD")) {
    return new BackupError("E-BACKUP-STORE", message, {
      changed,
      hint: "Run the same command again: the daemon then asks another holder.",
    });
  }
  if (code.startsWith("E-")) return contradiction(message);
  return new BackupError("E-RESTORE-WRITE", `Writing failed: ${message}.`, { changed });
}
