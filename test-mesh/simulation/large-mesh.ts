/**
 * A mesh of many nodes in one process: the real synchronisation over the overlay of 8 neighbours, the
 * fake network, and a light state (light-replica.ts).
 */
import { neighboursOf } from "../../daemon/core/logs/overlay.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import type { NewItem } from "../../daemon/state/replica.ts";
import { Sync } from "../../daemon/state/sync/sync.ts";
import { idOf, sha256, type MeshId, type SiteId } from "../../protocol/ids.ts";
import { FakeTime } from "../fakes/clock.ts";
import { CountedTransport } from "../fakes/counted-transport.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { FakeNetwork } from "../fakes/transport.ts";
import { LightReplica } from "./light-replica.ts";

const MESH = idOf<MeshId>(sha256("large mesh"));
/** One way, as over ADSL and 4G. */
const DELAY_MS = [5, 40] as const;
/** In a mesh of more than 50 sites a member that was away is tried every 5 min at worst. */
const REDIAL_MS = [10, 300_000] as const;
/** An entry with one small record, signed: measured by sync-bytes.test.ts. */
export const ENTRY_BYTES = 600;

interface Node {
  readonly id: SiteId;
  readonly replica: LightReplica;
  readonly wire: CountedTransport;
}

/** How one entry went through the mesh. */
export interface Journey {
  /** The most steps from member to member. */
  readonly hops: number;
  readonly tookMs: number;
}

export class LargeMesh {
  readonly time: FakeTime;
  readonly random: SeededRandom;
  readonly nodes: readonly Node[];
  readonly #network: FakeNetwork;
  readonly #graph: ReadonlyMap<SiteId, ReadonlySet<SiteId>>;
  #watch: ((node: SiteId, item: NewItem) => void) | undefined;

  /**
   * @param siteCount - More than 50, or all are linked with all.
   * @param redialMs - Bounds of the time until a link that may be is there.
   */
  constructor(siteCount: number, seed: number, redialMs: readonly [number, number] = REDIAL_MS) {
    this.time = new FakeTime(seed);
    this.random = new SeededRandom(seed);
    const ids = Array.from({ length: siteCount }, (_, i) => idOf<SiteId>(sha256(`node ${i}`)));
    this.#graph = new Map(ids.map((id) => [id, neighboursOf(id, ids)]));
    this.#network = new FakeNetwork({
      time: this.time,
      seed,
      delayMs: DELAY_MS,
      relinkMs: redialMs,
      dials: (a, b) => this.#graph.get(a as SiteId)?.has(b as SiteId) === true,
    });
    this.nodes = ids.map((id): Node => {
      const replica = new LightReplica(id);
      const wire = new CountedTransport(this.#network.join(id), "/pleach/state/1");
      const sync = new Sync({
        replica,
        transport: wire,
        clock: this.time.clock(),
        log: silentLogger,
        meshId: () => MESH,
        isMember: () => true,
      });
      sync.start();
      replica.onNew((item) => this.#watch?.(id, item));
      return { id, replica, wire };
    });
  }

  /** Links of all nodes together, each counted once. */
  get links(): number {
    return [...this.#graph.values()].reduce((sum, { size }) => sum + size, 0) / 2;
  }

  isEqual(): boolean {
    const [first] = this.nodes;
    const digest = first?.replica.stateDigest();
    return this.nodes.every(({ replica }) => replica.stateDigest() === digest);
  }

  async untilEqual(limitMs: number): Promise<number> {
    return this.time.until(() => this.isEqual(), limitMs, "equal state everywhere");
  }

  /** Some node writes an entry; resolves when all hold it. */
  async edit(sizeBytes: number, limitMs: number): Promise<Journey> {
    const author = this.random.pick(this.nodes);
    const hops = new Map<SiteId, number>();
    const startMs = this.time.nowMs;
    this.#watch = (node, { from }) => {
      hops.set(node, from === undefined ? 0 : (hops.get(from) ?? 0) + 1);
    };
    author.replica.write(sizeBytes);
    await this.time.until(() => hops.size === this.nodes.length, limitMs, "the edit everywhere");
    this.#watch = undefined;
    return { hops: Math.max(...hops.values()), tookMs: this.time.nowMs - startMs };
  }

  /** Bytes and frames of `/pleach/state/1` that a node sent on average, in so much time. */
  async sentPerNode(durationMs: number): Promise<{ sizeBytes: number; frames: number }> {
    for (const { wire } of this.nodes) wire.reset();
    await this.time.advance(durationMs);
    const sum = (of: (node: Node) => number): number =>
      this.nodes.reduce((total, node) => total + of(node), 0) / this.nodes.length;
    return { sizeBytes: sum(({ wire }) => wire.sizeBytes), frames: sum(({ wire }) => wire.frames) };
  }

  /**
   * Cuts a part of the nodes off the others, lets both sides write, and heals.
   *
   * @returns the milliseconds until all are equal again.
   */
  async partAndHeal(share: number, durationMs: number, edits: number): Promise<number> {
    const mixed = this.random.shuffled(this.nodes);
    const cut = mixed.slice(0, Math.floor(mixed.length * share)).map(({ id }) => id);
    const rest = mixed.slice(cut.length).map(({ id }) => id);
    this.#network.partition(cut, rest);
    for (let edit = 0; edit < edits; edit++) {
      this.random.pick(this.nodes).replica.write(ENTRY_BYTES);
      await this.time.advance(durationMs / edits);
    }
    this.#network.heal();
    return this.untilEqual(3_600_000);
  }
}
