/**
 * A state on an empty disk that is fed in some order: what every other node has to equal.
 */
import { createLogger } from "../../daemon/observe/log.ts";
import { State } from "../../daemon/state/state.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { readEnvelope } from "../../protocol/logs/envelope.ts";
import { decodeStatement } from "../../protocol/statements/statement.ts";
import { FakeTime } from "../fakes/clock.ts";
import { testKey } from "../fakes/founding.ts";
import { FakeDisk } from "../fakes/store.ts";

export interface FreshOptions {
  /** How wrong its clock is. Default: right. */
  readonly wallOffsetMs?: number;
  readonly disk?: FakeDisk;
}

function seqOf(envelope: Uint8Array): number {
  return readEnvelope(envelope).header.seq;
}

/** Whom items come from does not matter to what they add up to. */
const FROM = "ab".repeat(32) as SiteId;

export class FreshState {
  readonly disk: FakeDisk;
  readonly #clock: ReturnType<FakeTime["clock"]>;
  /** What it logged as an error. */
  readonly complaints: string[] = [];
  #state: State | undefined;

  constructor({ wallOffsetMs = 0, disk = new FakeDisk() }: FreshOptions = {}) {
    this.disk = disk;
    this.#clock = new FakeTime(1).clock(wallOffsetMs);
  }

  get state(): State {
    if (this.#state === undefined) throw new RangeError("not started");
    return this.#state;
  }

  /** Starts it, or starts it again on what it has stored. */
  async start(): Promise<State> {
    await this.#state?.close();
    this.#state = await State.open({
      store: this.disk.open(),
      clock: this.#clock,
      log: createLogger("error", (line) => this.complaints.push(line)),
      siteKey: testKey("fresh"),
    });
    return this.#state;
  }

  /** Gives it items until none of them brings anything new. */
  async feed(statements: Iterable<Uint8Array>, envelopes: Iterable<Uint8Array>): Promise<void> {
    const state = this.#state ?? (await this.start());
    await state.addStatements([...statements].map(decodeStatement));
    const all = [...envelopes];
    const inOrder = all.toSorted((a, b) => seqOf(a) - seqOf(b));
    // Room for what waits is small; what found none comes again, as in the next round. Then what was
    // pruned and has been named since, which is taken in its order only.
    while ((await this.#bringsNews(state, all)) || (await this.#bringsNews(state, inOrder)));
  }

  /** Of a log that was taken up entries are stored without a word, until one comes that counts. */
  async #bringsNews(state: State, envelopes: readonly Uint8Array[]): Promise<boolean> {
    const stored = this.disk.content.size;
    const receptions = await Promise.all(
      envelopes.map((bytes) => state.replica.receiveEnvelope(bytes, FROM)),
    );
    const isNew = receptions.some((each) => each === "accepted" || each === "parked");
    return isNew || this.disk.content.size !== stored;
  }

  fingerprint(): string {
    const { state } = this;
    return [state.replica.statementDigest(), state.replica.stateDigest(), state.view().hash].join(
      " ",
    );
  }
}
