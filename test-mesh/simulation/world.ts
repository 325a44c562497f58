/**
 * A simulated mesh with all that can go wrong in it: honest sites, one that is not, operators, one
 * of whom is not, and everything that was ever announced.
 */
import type { StoreChange } from "../../daemon/core/store.ts";
import { statementKey } from "../../daemon/state/keys.ts";
import type { NewItem } from "../../daemon/state/replica.ts";
import {
  idOf,
  type LogId,
  type MeshId,
  type SiteId,
  type StatementId,
} from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import { encodeStatement, type SignedStatement } from "../../protocol/statements/statement.ts";
import { FakeTime } from "../fakes/clock.ts";
import { testKey } from "../fakes/founding.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { FakeNetwork } from "../fakes/transport.ts";
import { Archive } from "./archive.ts";
import { ByzantineMember } from "./byzantine-member.ts";
import { foundMesh, SHARED_ZONE } from "./found-mesh.ts";
import { Operator } from "./operator.ts";
import { SimulatedSite, type Acknowledged } from "./simulated-site.ts";
import { Sometimes } from "./sometimes.ts";

const HONEST_SITES = 5;
/** All of them decide; with the rogue one and one that votes without looking, both sides of a cut do. */
const OPERATORS = 3;
const RECOVERY_KEYS = 2;

/** What goes wrong at one moment. */
export interface Fault {
  /** How often it is drawn, against the others. */
  readonly weight: number;
  readonly happen: (world: World) => Promise<void> | void;
}

export interface HeldUp {
  readonly site: SimulatedSite;
  readonly author: SiteId;
  readonly suspension: StatementId;
  readonly ends: ReadonlyMap<LogId, number>;
}

export class World {
  readonly seed: number;
  readonly time: FakeTime;
  readonly random: SeededRandom;
  readonly network: FakeNetwork;
  readonly sometimes = new Sometimes();
  readonly archive = new Archive();
  readonly mesh: MeshId;
  readonly honest: readonly SimulatedSite[];
  readonly byzantine: ByzantineMember;
  /** Those that decide as they should. */
  readonly operators: readonly Operator[];
  /** One whose key somebody has stolen. */
  readonly rogue: Operator;
  /** Another one, with a key that signs all that it can. */
  readonly flooder: Operator;
  readonly recovery: readonly Operator[];
  /** A second box with the key and an older disk of an honest site. */
  clone: { readonly box: SimulatedSite; readonly of: SimulatedSite } | undefined;
  /** The site that has left the mesh of its own will. */
  left: SimulatedSite | undefined;
  /** Writes that a disk put back to an older image may have lost: nobody else had them. */
  readonly mayBeLost = new Set<Acknowledged>();
  /** The statement that founds the mesh, as it lies in a store. */
  readonly genesis: StoreChange;
  /** Sites of which bits on the disk were turned over. */
  readonly damaged = new Set<SimulatedSite>();
  /** What a site held of a suspended author when it learned of the suspension. */
  readonly heldUp: HeldUp[] = [];
  readonly #announced = new Map<SimulatedSite, NewItem[]>();
  readonly #founded: readonly SignedStatement[];

  private constructor(seed: number) {
    this.seed = seed;
    this.time = new FakeTime(seed);
    this.random = new SeededRandom(seed);
    this.network = new FakeNetwork({ time: this.time, seed, delayMs: [5, 150] });
    const numbered = (count: number, name: string): string[] =>
      Array.from({ length: count }, (_, index) => `${seed} ${name} ${index}`);
    this.operators = numbered(OPERATORS, "operator").map((name) => new Operator(name));
    this.rogue = new Operator(`${seed} rogue operator`);
    this.flooder = new Operator(`${seed} flooding operator`);
    this.recovery = numbered(RECOVERY_KEYS, "recovery key").map((name) => new Operator(name));
    const names = [...Array.from({ length: HONEST_SITES }, (_, i) => `site-${i}`), "byzantine"];
    const sites = names.map((name) => ({ name, key: testKey(`${seed} ${name}`) }));
    const founded = foundMesh({
      name: `seed ${seed}`,
      operators: [...this.operators, this.rogue, this.flooder],
      recovery: this.recovery,
      sites,
    });
    this.mesh = founded.mesh;
    this.#founded = founded.statements;
    const [genesis] = founded.statements;
    if (genesis === undefined) throw new RangeError("a mesh starts from a statement");
    this.genesis = { kind: "put", key: statementKey(genesis.id), value: encodeStatement(genesis) };
    const [time, network] = [this.time, this.network];
    const made = sites.map(({ name, key: siteKey }) => {
      const id = idOf<SiteId>(siteKey.publicKey);
      const onItem =
        name === "byzantine"
          ? {}
          : { onItem: (site: SimulatedSite, item: NewItem) => this.#note(site, item) };
      return new SimulatedSite({ name, id, time, network, siteKey, ...onItem });
    });
    const byzantine = made.pop();
    if (byzantine === undefined) throw new RangeError("no site");
    this.honest = made;
    const key = testKey(`${seed} byzantine`);
    this.byzantine = new ByzantineMember(byzantine, key, this.mesh, this.random.fork());
  }

  /** All sites are up, know one another, are linked and equal. */
  static async form(seed: number): Promise<World> {
    const world = new World(seed);
    for (const statement of world.#founded) {
      world.archive.note({
        kind: "statement",
        id: statement.id,
        bytes: encodeStatement(statement),
        from: undefined,
      });
    }
    const sites = [...world.honest, world.byzantine.site];
    for (const site of sites) {
      await site.start();
      await site.state.addStatements(world.#founded);
    }
    const linked = (): boolean =>
      sites.every(({ sync }) => sync.status().length === sites.length - 1);
    await world.time.until(linked, 60_000, "every link");
    const [first] = world.honest;
    if (first === undefined) throw new RangeError("no site");
    await world.time.resolve(first.zones.editor.addZone(SHARED_ZONE, undefined, 0));
    return world;
  }

  /** The honest boxes that run now. */
  get up(): readonly SimulatedSite[] {
    return this.boxes.filter(({ isUp }) => isUp);
  }

  /** The honest boxes, the second one of a site among them. */
  get boxes(): readonly SimulatedSite[] {
    return this.clone === undefined ? this.honest : [...this.honest, this.clone.box];
  }

  /** A second box of an honest site comes to be; what it makes known is noted as for all others. */
  double(of: SimulatedSite): SimulatedSite {
    const { id, name } = of;
    const box = new SimulatedSite({
      name,
      id,
      box: `${id}#double`,
      time: this.time,
      network: this.network,
      siteKey: this.keyOf(of),
      onItem: (site, item) => this.#note(site, item),
    });
    box.disk.restore(of.disk.image());
    this.clone = { box, of };
    return box;
  }

  /** The key that a box signs with. */
  keyOf({ name }: SimulatedSite): SigningKey {
    return testKey(`${this.seed} ${name}`);
  }

  /** What a running site has made known as durable since its start. */
  announcedBy(site: SimulatedSite): readonly NewItem[] {
    return this.#announced.get(site) ?? [];
  }

  /** Call after a site has ended: the next process has announced nothing. */
  forgetAnnounced(site: SimulatedSite): void {
    this.#announced.delete(site);
  }

  /** Brings statements in at one site. False when it died of them, or was dead. */
  async tell(site: SimulatedSite, statements: readonly SignedStatement[]): Promise<boolean> {
    if (!site.isUp) return false;
    const { state } = site;
    try {
      await state.addStatements(statements);
      return true;
    } catch (error) {
      if (site.isUp && site.state === state) throw error;
      return false;
    }
  }

  /** One that was over counts again, perhaps: what came meanwhile was accepted. */
  #forgetEndedSuspensions(site: SimulatedSite): void {
    if (!site.isUp) return;
    const open = new Set(site.state.authority().suspensions.map(({ id }) => id));
    const left = this.heldUp.filter((each) => each.site !== site || open.has(each.suspension));
    this.heldUp.splice(0, Infinity, ...left);
  }

  #note(site: SimulatedSite, item: NewItem): void {
    this.archive.note(item);
    if (item.kind === "statement") this.#forgetEndedSuspensions(site);
    const list = this.#announced.get(site) ?? [];
    list.push(item);
    this.#announced.set(site, list);
  }
}
