/**
 * Some sites with real shard stores on a fake network, for simulations of spreading.
 *
 * The replicated state is one shared table that all sites see at once: what state does in a
 * partition is tested elsewhere. Time is turned by hand; the disk is real.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupStore } from "../../daemon/backup/store/backup-store.ts";
import type { BackupState, ProviderRecords } from "../../daemon/backup/store/ports.ts";
import { serveProofs, type Proofs } from "../../daemon/compose/proofs.ts";
import type { AuditPace } from "../../daemon/core/backup/audit-pace.ts";
import type { Authority, Delegation, Owner, Site } from "../../daemon/core/authority/authority.ts";
import type { Lending } from "../../daemon/core/backup/lending.ts";
import type { Channel, ChannelHandler, Transport } from "../../daemon/core/transport.ts";
import type { KeyRange, Store, StoreChange } from "../../daemon/core/store.ts";
import type { ViewEntry } from "../../daemon/core/logs/view.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { idOf, sha256, type LogId, type MeshId, type OperatorId } from "../../protocol/ids.ts";
import type { OwnerId, PeerKey, SiteId, StatementId, VersionId } from "../../protocol/ids.ts";
import type { FailureDomains } from "../../protocol/statements/site-statement.ts";
import { signingKey } from "../../protocol/keys/signature.ts";
import { FakeTime } from "../fakes/clock.ts";
import { FakeNetwork, type FakeTransport } from "../fakes/transport.ts";

export const OWNER = idOf<OwnerId>(sha256("owner"));
const MESH = idOf<MeshId>(sha256("mesh"));
const STATEMENT = idOf<StatementId>(sha256("statement"));

/** A store in memory. What was written stays when the site is killed. */
export class MemoryStore implements Store {
  readonly #map = new Map<string, Uint8Array>();

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#map.get(key);
  }

  async *entries(range: KeyRange): AsyncIterable<readonly [string, Uint8Array]> {
    for (const key of [...this.#map.keys()].toSorted()) {
      const value = this.#map.get(key);
      if (key >= range.from && key < range.to && value !== undefined) yield [key, value];
    }
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    for (const change of changes) {
      if (change.kind === "put") this.#map.set(change.key, change.value);
      else this.#map.delete(change.key);
    }
  }

  async close(): Promise<void> {}

  /** An image of what is stored now. */
  copy(): MemoryStore {
    const copy = new MemoryStore();
    for (const [key, value] of this.#map) copy.#map.set(key, value);
    return copy;
  }
}

export interface SimulatedSite {
  readonly id: SiteId;
  readonly directory: string;
  store: MemoryStore;
  transport: FakeTransport;
  backups: BackupStore;
  readonly proofs: Proofs | undefined;
}

export interface SpreadMeshOptions {
  /** Sites audit one another at this pace; not at all without it. */
  readonly pace?: AuditPace;
  readonly silentMs?: number;
  readonly lostMs?: number;
  /** A group above it is split. */
  readonly splitBytes?: number;
  /** What one owner may send in a day. Default: the share of what is lent. */
  readonly dailyBytes?: number;
}

export class SpreadMesh {
  readonly time = new FakeTime(7);
  readonly network: FakeNetwork;
  readonly sites = new Map<string, SimulatedSite>();
  readonly #root: string;
  readonly #options: SpreadMeshOptions;
  readonly #members = new Map<SiteId, Site>();
  readonly #records = new Map<string, ViewEntry>();
  readonly #listeners = new Set<() => void>();
  readonly delegations: Delegation[] = [];
  /** Sites that say or hear something else where another one brings them a list. */
  readonly distorted = new Map<string, (channel: Channel) => Channel>();
  /** Moments at which the lines of sites begin to carry copies; until then they carry none. */
  readonly opensAtMs = new Map<string, number>();
  /** Where sites are, for those that say it. */
  readonly domains = new Map<string, Partial<FailureDomains>>();
  /** Conditions of sites that lend not simply to all. */
  readonly lending = new Map<string, Partial<Lending>>();
  /** Sites that answer audits in another way than they should. */
  readonly answers = new Map<string, ChannelHandler>();

  private constructor(root: string, options: SpreadMeshOptions) {
    this.#root = root;
    this.#options = options;
    this.network = new FakeNetwork({
      time: this.time,
      seed: 3,
      delayMs: [1, 5],
      relinkMs: [1, 50],
    });
  }

  static async create(options: SpreadMeshOptions = {}): Promise<SpreadMesh> {
    return new SpreadMesh(await mkdtemp(join(tmpdir(), "pleach-spread-")), options);
  }

  /** A site comes up, anew or again after {@link kill}. */
  async up(name: string, giveBytes = 1024 ** 3): Promise<SimulatedSite> {
    const key = signingKey(sha256(`site ${name}`));
    const id = idOf<SiteId>(key.publicKey);
    const before = this.sites.get(name);
    this.#members.set(id, member(id, name, this.domains.get(name)));
    const transport = this.network.join(id);
    const store = before?.store ?? new MemoryStore();
    const directory = join(this.#root, name);
    const { pace } = this.#options;
    const served: Pick<Transport, "handle"> = {
      handle: (protocol, handler) => {
        transport.handle(protocol, (channel) => (this.answers.get(name) ?? handler)(channel));
      },
    };
    const proofs = pace === undefined ? undefined : serveProofs(served, store, () => pace);
    const backups = await BackupStore.open({
      ...{ directory, store, siteKey: key },
      transport: distorting(
        transport,
        () => this.distorted.get(name),
        () => Math.max(0, (this.opensAtMs.get(name) ?? 0) - this.time.nowMs),
      ),
      ...this.#options,
      lending: () => ({
        ...{ spaceBytes: giveBytes, to: "all", dailyBytes: this.#options.dailyBytes },
        ...this.lending.get(name),
      }),
      state: this.#stateOf(id),
      providers: noProviders,
      onRecovery: () => {},
      clock: this.time.clock(),
      log: silentLogger,
    });
    await proofs?.start(backups);
    const site = { id, directory, store, transport, backups, proofs };
    this.sites.set(name, site);
    this.#tell();
    return site;
  }

  /** Ends a site without a word to anybody. */
  async kill(name: string): Promise<void> {
    const site = this.#named(name);
    this.network.leave(site.id);
    // What it still tries comes to nothing: the network has forgotten it.
    await this.#untilDone("the end of the site", async () => {
      await site.proofs?.stop();
      await site.backups.stop();
    });
  }

  /** Ends what a site does to prove and mend copies of its own accord; the rest of it goes on. */
  async endProofs(name: string): Promise<void> {
    const { proofs } = this.#named(name);
    await this.#untilDone("the end of its proofs", async () => proofs?.stop());
  }

  #named(name: string): SimulatedSite {
    const site = this.sites.get(name);
    if (site === undefined) throw new RangeError(name);
    return site;
  }

  /** Lets time pass until something is done that may wait for others. */
  async #untilDone(what: string, work: () => Promise<void>): Promise<void> {
    let isDone = false;
    const end = work().finally(() => (isDone = true));
    await this.until(() => isDone, 60_000, what);
    await end;
  }

  /** Names the site that writes an owner's sets. */
  delegate(site: SiteId, owner: OwnerId = OWNER, statement: StatementId = STATEMENT): void {
    this.delegations.unshift({ owner, set: null, site, lockDays: 30, statement });
    this.#tell();
  }

  /** Lets time pass in steps, with turns for the disk in between, which knows no fake time. */
  async pass(durationMs: number): Promise<void> {
    const endMs = this.time.nowMs + durationMs;
    while (this.time.nowMs < endMs) {
      await this.time.advance(Math.min(100, endMs - this.time.nowMs));
      await new Promise<void>((resolve) => {
        setTimeout(resolve, 1);
      });
    }
  }

  /** Lets time pass until the condition holds. */
  async until(condition: () => boolean, limitMs: number, what: string): Promise<void> {
    const endMs = this.time.nowMs + limitMs;
    while (!condition()) {
      if (this.time.nowMs > endMs) throw new Error(`${what} did not come about`);
      await this.pass(20);
    }
  }

  /** Makes the shared table say something else, as when members forget. */
  putRecord(entry: ViewEntry): void {
    this.#records.set(`${entry.class}/${entry.author}/${entry.key}`, entry);
    this.#tell();
  }

  records(): readonly ViewEntry[] {
    return [...this.#records.values()];
  }

  async end(): Promise<void> {
    for (const name of this.sites.keys()) await this.kill(name);
    await rm(this.#root, { recursive: true, force: true });
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #stateOf(self: SiteId): BackupState {
    const records = this.#records;
    return {
      meshId: MESH,
      authority: () => this.#authority(),
      view: () => ({
        hash: "",
        conflicts: () => [],
        entries: (recordClass, prefix = "") =>
          [...records.values()].filter(
            (entry) => entry.class === recordClass && entry.key.startsWith(prefix),
          ),
        get: (recordClass, key, author) =>
          [...records.values()].find(
            (entry) =>
              entry.class === recordClass &&
              entry.key === key &&
              (author === undefined || entry.author === author),
          ),
      }),
      statements: () => [],
      write: async (changes) => {
        for (const { class: recordClass, key, value } of changes) {
          const name = `${recordClass}/${self}/${key}`;
          if (value === undefined) records.delete(name);
          else records.set(name, { ...viewEntry(self), class: recordClass, key, value });
        }
        queueMicrotask(() => this.#tell());
      },
      subscribe: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      confirmedBy: () => [...this.#members.keys()].filter((site) => site !== self),
    };
  }

  #authority(): Authority {
    const { delegations } = this;
    const owners = new Map<OwnerId, Owner>();
    const delegationFor = (owner: OwnerId, _set: unknown, site: SiteId) =>
      delegations.find((one) => one.owner === owner && one.site === site);
    return {
      ...{ meshId: MESH, meshName: "test", operators: new Map(), threshold: 1, owners },
      ...{ sites: this.#members, endedSites: new Map(), grants: [], delegations, delegationFor },
      epoch: { n: 0, ids: [MESH], contested: false, parents: [] },
      ...{ recovery: { keys: [], threshold: 0 }, features: new Set<string>(), rules: 1 },
      ...{ proposals: [], suspensions: [], endedGrants: [], forkedLogs: new Map() },
      ...{ logLimit: () => "open", isSuspended: () => false, mayOpenLogs: () => true },
      ...{ idle: new Map(), forks: [], mayWrite: () => true, mayWriteClass: () => true },
      delegatedSite: (owner) => delegations.find((one) => one.owner === owner)?.site,
      isMember: (peer: PeerKey) => this.#members.has(peer as SiteId),
      ownerOfRecovery: () => undefined,
      siteNamed: (name) => [...this.#members.values()].find((site) => site.name === name),
    };
  }
}

/** A transport whose served channels go through what is there when they are opened. */
function distorting(
  transport: Transport,
  distortion: () => ((channel: Channel) => Channel) | undefined,
  closedMs: () => number,
): Transport {
  return {
    self: transport.self,
    links: () => transport.links(),
    open: (peer, protocol, timeoutMs) => transport.open(peer, protocol, timeoutMs),
    onLink: (listener) => transport.onLink(listener),
    opensInMs: (_peer, urgency) => (urgency === "restore" ? 0 : closedMs()),
    handle: (protocol, handler) => {
      transport.handle(protocol, (channel) => handler(distortion()?.(channel) ?? channel));
    },
  };
}

const noProviders: ProviderRecords = { provide: async () => {}, findProviders: async () => [] };

function member(siteId: SiteId, name: string, domains: Partial<FailureDomains> = {}): Site {
  return {
    ...{ siteId, name, org: `org of ${name}`, place: "", replaces: undefined },
    domains: { building: "", power: "", uplink: "", country: "", ...domains },
    classes: new Set(["site", "offer", "place", "hold", "note"]),
    operator: idOf<OperatorId>(sha256(`operator of ${name}`)),
    statement: STATEMENT,
  };
}

function viewEntry(author: SiteId) {
  return {
    author,
    ...{ lamport: 1, seq: 1, conflicts: [] },
    versionId: idOf<VersionId>(sha256("version")),
    log: idOf<LogId>(sha256("log").subarray(0, 16)),
  };
}
