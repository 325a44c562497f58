/**
 * A stand-in for the state of a node, light enough for a thousand of them in one process: logs of
 * opaque entries and one fixed set of statements. Entries are as long as real ones, and digests as
 * exact, but nothing is signed, merged or put on a disk, so it says nothing about the work of a node,
 * only about what replication sends.
 */
import {
  idOf,
  sha256,
  toHex,
  type EnvelopeId,
  type LogId,
  type SiteId,
} from "../../protocol/ids.ts";
import type { ClassGroup } from "../../protocol/logs/record-class.ts";
import { BUCKETS_PER_CLASS } from "../../protocol/messages/sync-message.ts";
import type { LogPosition, NewItem, Reception, Replica } from "../../daemon/state/replica.ts";

/** All records of the simulation are of one class. */
const GROUP: ClassGroup = "site";
const NONE = toHex(sha256("no logs"));
const STATEMENTS = toHex(sha256("the same statements everywhere"));

interface LightLog {
  readonly position: LogPosition;
  readonly entries: readonly Uint8Array[];
}

/** The log of a site that writes one. */
export function lightLogOf(author: SiteId): LogId {
  return idOf<LogId>(sha256(`log ${author}`).subarray(0, 16));
}

export class LightReplica implements Replica {
  readonly #self: SiteId;
  readonly #buckets = Array.from({ length: BUCKETS_PER_CLASS }, () => new Map<LogId, LightLog>());
  readonly #digests: (string | undefined)[] = [];
  readonly #listeners = new Set<(item: NewItem) => void>();

  constructor(self: SiteId) {
    this.#self = self;
  }

  /** Appends an entry of so many bytes to the own log and tells of it. */
  write(sizeBytes: number): NewItem {
    const log = lightLogOf(this.#self);
    const seq = (this.position(log)?.seq ?? 0) + 1;
    const bytes = new Uint8Array(sizeBytes);
    bytes.set(Buffer.from(this.#self, "hex"));
    Buffer.from(bytes.buffer).writeUInt32BE(seq, 32);
    return this.#append(bytes, undefined);
  }

  statementDigest(): string {
    return STATEMENTS;
  }

  stateDigest(): string {
    return toHex(sha256(...this.classDigest(GROUP)));
  }

  classDigest(group: ClassGroup): readonly string[] {
    if (group !== GROUP) return this.#buckets.map(() => NONE);
    return this.#buckets.map((logs, bucket) => (this.#digests[bucket] ??= digestOf(logs)));
  }

  statementIds(): readonly never[] {
    return [];
  }

  statement(): undefined {
    return undefined;
  }

  vector(group: ClassGroup, bucket: number): readonly LogPosition[] {
    if (group !== GROUP) return [];
    return sorted(this.#buckets[bucket] ?? new Map()).map(({ position }) => position);
  }

  position(log: LogId): LogPosition | undefined {
    return this.#bucketOf(log).get(log)?.position;
  }

  wantedAfter(log: LogId): number {
    return this.position(log)?.seq ?? 0;
  }

  async *envelopesFrom(log: LogId, afterSeq: number): AsyncGenerator<Uint8Array> {
    yield* this.#bucketOf(log).get(log)?.entries.slice(afterSeq) ?? [];
  }

  async *headersOf(): AsyncGenerator<Uint8Array> {}

  authorOf(): "known" {
    return "known";
  }

  async receiveStatement(): Promise<Reception> {
    return { refused: "E-STATE-FULL" };
  }

  stretchesWanted(): readonly [] {
    return [];
  }

  async receiveEnvelope(bytes: Uint8Array, from: SiteId): Promise<Reception> {
    const author = idOf<SiteId>(bytes.subarray(0, 32));
    const seq = Buffer.from(bytes).readUInt32BE(32);
    const held = this.position(lightLogOf(author))?.seq ?? 0;
    if (seq <= held) return "known";
    if (seq > held + 1) return "waiting";
    this.#append(Uint8Array.from(bytes), from);
    return "accepted";
  }

  async receiveHeader(): Promise<"idle"> {
    return "idle";
  }

  onNew(listener: (item: NewItem) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  noteConfirmed(): void {}

  #append(bytes: Uint8Array, from: SiteId | undefined): NewItem {
    const author = idOf<SiteId>(bytes.subarray(0, 32));
    const log = lightLogOf(author);
    const logs = this.#bucketOf(log);
    const entries = [...(logs.get(log)?.entries ?? []), bytes];
    const id = idOf<EnvelopeId>(sha256(bytes));
    const seq = entries.length;
    logs.set(log, { entries, position: { log, author, part: 0, seq, head: id, fromSeq: 1 } });
    this.#digests[this.#buckets.indexOf(logs)] = undefined;
    const item: NewItem = { kind: "envelope", bytes, id, from, at: { log, seq } };
    for (const listener of this.#listeners) listener(item);
    return item;
  }

  #bucketOf(log: LogId): Map<LogId, LightLog> {
    const bucket = this.#buckets[Number.parseInt(log.slice(0, 1), 16)];
    if (bucket === undefined) throw new RangeError("no such bucket");
    return bucket;
  }
}

function digestOf(logs: ReadonlyMap<LogId, LightLog>): string {
  const named = sorted(logs).map(({ position: { log, seq, head } }) => `${log} ${seq} ${head}`);
  return toHex(sha256(...named));
}

function sorted(logs: ReadonlyMap<LogId, LightLog>): LightLog[] {
  return [...logs.values()].toSorted((a, b) => (a.position.log < b.position.log ? -1 : 1));
}
