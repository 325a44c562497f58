/**
 * One site of a simulation: the daemon's own composition of state, guards, replication and
 * presence, over a fake disk, network and clock. It can be killed at any moment and started again
 * on what its disk then holds.
 */
import { openState } from "../../daemon/compose/open-state.ts";
import { startReplication, type Replication } from "../../daemon/compose/replication.ts";
import { serialOffset } from "../../daemon/core/zones/zone-serial.ts";
import { DiskGuard } from "../../daemon/inventory/disk-guard.ts";
import { silentLogger, type Logger } from "../../daemon/observe/log.ts";
import { entryKey } from "../../daemon/state/keys.ts";
import type { Presence } from "../../daemon/state/presence.ts";
import type { NewItem, Replica } from "../../daemon/state/replica.ts";
import type { State } from "../../daemon/state/state.ts";
import type { Sync } from "../../daemon/state/sync/sync.ts";
import type { LogId, SiteId, VersionId } from "../../protocol/ids.ts";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import type { RecordClass } from "../../protocol/logs/record-class.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import type { FakeClock, FakeTime } from "../fakes/clock.ts";
import { testKey } from "../fakes/founding.ts";
import { FakeDisk } from "../fakes/store.ts";
import type { BoxName, FakeNetwork, FakeTransport } from "../fakes/transport.ts";
import { ServedSerials, SiteZones } from "./site-zones.ts";

/** A write that this site was told is durable. */
export interface Acknowledged {
  readonly class: RecordClass;
  readonly key: string;
  /** Undefined: the record was deleted. */
  readonly value: JsonValue | undefined;
  /** None: it was so already. */
  readonly entries: readonly { readonly log: LogId; readonly seq: number }[];
  /** What the entries set; undefined: none was needed. */
  readonly version: VersionId | undefined;
  /** Earlier ones of this record that the box had forgotten then, and not got back. */
  readonly unknown: readonly Acknowledged[];
}

interface Running {
  readonly guarded: Awaited<ReturnType<typeof openState>>;
  readonly replication: Replication;
  readonly zones: SiteZones;
  readonly transport: FakeTransport;
  readonly stop: () => void;
}

export interface SimulatedSiteOptions {
  readonly name: string;
  readonly id: SiteId;
  readonly time: FakeTime;
  readonly network: FakeNetwork;
  /** Default: the key that is named as the site. */
  readonly siteKey?: SigningKey;
  /** Default: as the site. */
  readonly box?: BoxName;
  readonly log?: Logger;
  /** Told of everything that this site has made known as durable. */
  readonly onItem?: (site: SimulatedSite, item: NewItem) => void;
}

export class SimulatedSite {
  readonly name: string;
  readonly id: SiteId;
  readonly box: BoxName;
  readonly disk: FakeDisk;
  /** Jumps; each start goes on with what it then shows. */
  readonly clock: FakeClock;
  /** Everything that was acknowledged here, oldest first. */
  readonly acknowledged: Acknowledged[] = [];
  /** What it has served in DNS. */
  readonly serials = new ServedSerials();
  /** Those that were not on its disk any more when it started on an older image, or a damaged one. */
  readonly #forgotten = new Set<Acknowledged>();
  readonly #options: SimulatedSiteOptions;
  #running: Running | undefined;
  #starting = false;

  constructor(options: SimulatedSiteOptions, disk = new FakeDisk()) {
    this.#options = options;
    this.name = options.name;
    this.id = options.id;
    this.box = options.box ?? options.id;
    this.disk = disk;
    this.clock = options.time.clock();
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  /** @throws RangeError while the site is down, which is a bug in the story. */
  get state(): State {
    return this.#mustRun().guarded.state;
  }

  get sync(): Sync {
    return this.#mustRun().replication.sync;
  }

  /** As peers reach it: entries are refused on a full disk. */
  get replica(): Replica {
    return this.#mustRun().guarded.replica;
  }

  get transport(): FakeTransport {
    return this.#mustRun().transport;
  }

  get zones(): SiteZones {
    return this.#mustRun().zones;
  }

  get presence(): Presence {
    return this.#mustRun().replication.presence;
  }

  /** @throws StateError when what is on the disk cannot be used; the site stays down then. */
  async start(): Promise<void> {
    if (this.#running !== undefined || this.#starting) return;
    this.#starting = true;
    try {
      await this.#start();
    } finally {
      this.#starting = false;
    }
  }

  /** As a power cut: nothing is said, nothing unsynced stays. Returns how many keys that changed. */
  kill(): number {
    this.#end();
    return this.disk.cutPower();
  }

  /** As kill -9: nothing is said, but what the system took for the disk gets there. */
  crash(): void {
    this.#end();
    this.disk.catchUp();
  }

  /** Writes one record, or deletes it. False when it was not acknowledged: no room, or it died. */
  async write(
    recordClass: RecordClass,
    key: string,
    value: JsonValue | undefined,
  ): Promise<boolean> {
    const { guarded } = this.#mustRun();
    const missing = this.#missing();
    try {
      const { entries, versions } = await guarded.write([{ class: recordClass, key, value }]);
      const unknown = [...this.#forgotten].filter((each) => {
        return each.class === recordClass && each.key === key && missing.has(each);
      });
      const [version] = versions;
      this.acknowledged.push({ class: recordClass, key, value, entries, version, unknown });
      return true;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (this.#running?.guarded !== guarded || code === "E-NO-SPACE") return false;
      throw error;
    }
  }

  /** Call after a start on a disk that was put back or damaged. */
  noteForgotten(): void {
    this.serials.forgive();
    for (const write of this.#missing()) this.#forgotten.add(write);
  }

  /** What has to be equal on all sites with the same statements and entries. */
  fingerprint(): string {
    const { state } = this;
    const serial = serialOffset(state.logHeads(), state.statements());
    return `${state.view().hash} ${serial}`;
  }

  async #start(): Promise<void> {
    const { network, siteKey = testKey(this.name), log = silentLogger, onItem } = this.#options;
    const { clock, disk } = this;
    const level = disk.open();
    const host = { diskSpace: async () => ({ totalBytes: 2 ** 40, freeBytes: disk.freeBytes }) };
    const guard = await DiskGuard.start({ directory: "/data", host, clock, log });
    const ends: (() => void)[] = [() => guard.stop(), () => void level.close()];
    const stop = (): void => ends.splice(0).forEach((end) => end());
    try {
      const onFailure = (): void => {
        if (this.#running?.guarded === guarded) this.crash();
      };
      const guarded = await openState({ level, disk: guard, clock, log, siteKey, onFailure });
      const { state, replica } = guarded;
      const zones = await SiteZones.start(guarded, clock, this.serials);
      ends.push(() => zones.stop());
      if (onItem !== undefined) ends.push(state.replica.onNew((item) => onItem(this, item)));
      const transport = network.join(this.id, this.box);
      transport.accepts = (peer) => state.meshId === undefined || state.mayLink(peer);
      const replication = startReplication({ state, replica, transport, clock, log, siteKey });
      const onState = state.subscribe(({ kind }) => {
        if (kind === "statements") transport.recheck();
      });
      ends.push(
        onState,
        () => replication.stop(),
        () => network.leave(this.box),
      );
      this.#running = { guarded, replication, zones, transport, stop };
    } catch (error) {
      stop();
      throw error;
    }
  }

  #end(): void {
    const { stop } = this.#mustRun();
    this.#running = undefined;
    // The store refuses from then on what the dead process had under way.
    stop();
  }

  /** Acknowledged writes of which the disk lacks entries. */
  #missing(): Set<Acknowledged> {
    const isThere = ({ log, seq }: Acknowledged["entries"][number]): boolean =>
      this.disk.content.has(entryKey(log, seq));
    return new Set(this.acknowledged.filter(({ entries }) => !entries.every(isThere)));
  }

  #mustRun(): Running {
    if (this.#running === undefined) throw new RangeError(`${this.name} is down`);
    return this.#running;
  }
}
