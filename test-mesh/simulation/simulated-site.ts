/**
 * One site of a simulation: the real state and the real synchronisation over a fake disk, network
 * and clock. It can be killed at any moment and started again on what its disk then holds.
 */
import { serialOffset } from "../../daemon/core/zone-serial.ts";
import type { Store } from "../../daemon/core/store.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { State } from "../../daemon/state/state.ts";
import { Sync } from "../../daemon/state/sync/sync.ts";
import type { LogId, SiteId } from "../../protocol/ids.ts";
import type { JsonValue } from "../../protocol/json-value.ts";
import type { RecordClass } from "../../protocol/record-class.ts";
import type { FakeTime } from "../fakes/clock.ts";
import { testKey } from "../fakes/founding.ts";
import { FakeDisk } from "../fakes/store.ts";
import type { FakeNetwork } from "../fakes/transport.ts";

/** A write that this site was told is durable. */
export interface Acknowledged {
  readonly class: RecordClass;
  readonly key: string;
  readonly value: JsonValue;
  readonly entries: readonly { readonly log: LogId; readonly seq: number }[];
}

interface Running {
  readonly state: State;
  readonly sync: Sync;
  readonly store: Store;
}

export class SimulatedSite {
  readonly name: string;
  readonly id: SiteId;
  readonly disk = new FakeDisk();
  /** Everything that was acknowledged here, oldest first. */
  readonly acknowledged: Acknowledged[] = [];
  readonly #time: FakeTime;
  readonly #network: FakeNetwork;
  #running: Running | undefined;

  constructor(name: string, id: SiteId, time: FakeTime, network: FakeNetwork) {
    this.name = name;
    this.id = id;
    this.#time = time;
    this.#network = network;
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  /** @throws RangeError while the site is down, which is a bug in the story. */
  get state(): State {
    return this.#mustRun().state;
  }

  get sync(): Sync {
    return this.#mustRun().sync;
  }

  async start(): Promise<void> {
    const store = this.disk.open();
    const clock = this.#time.clock();
    const siteKey = testKey(this.name);
    const state = await State.open({ store, clock, log: silentLogger, siteKey });
    const sync = new Sync({
      replica: state.replica,
      transport: this.#network.join(this.id),
      clock,
      log: silentLogger,
      meshId: () => state.meshId,
    });
    sync.start();
    this.#running = { state, sync, store };
  }

  /** As kill -9 with a power cut: nothing is said, nothing unsynced stays. */
  kill(): void {
    const { sync, store } = this.#mustRun();
    this.#running = undefined;
    sync.stop();
    this.#network.leave(this.id);
    // Refuses from now on what the dead process had under way.
    void store.close();
    this.disk.cutPower();
  }

  /** Writes one record. False when the site died before it acknowledged. */
  async write(recordClass: RecordClass, key: string, value: JsonValue): Promise<boolean> {
    try {
      const { entries } = await this.state.write([{ class: recordClass, key, value }]);
      this.acknowledged.push({ class: recordClass, key, value, entries });
      return true;
    } catch (error) {
      if (this.isUp) throw error;
      return false;
    }
  }

  /** What has to be equal on all sites with the same statements and entries. */
  fingerprint(): string {
    const { state } = this;
    const serial = serialOffset(
      state.logHeads(),
      state.statements().map(({ id }) => id),
    );
    return `${state.view().hash} ${serial}`;
  }

  #mustRun(): Running {
    if (this.#running === undefined) throw new RangeError(`${this.name} is down`);
    return this.#running;
  }
}
