/**
 * A mesh of many sites in one process, which a seed makes the same each time.
 */
import assert from "node:assert/strict";
import { FakeTime } from "../fakes/clock.ts";
import { Founding } from "../fakes/founding.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { FakeNetwork } from "../fakes/transport.ts";
import { SimulatedSite } from "./simulated-site.ts";

export interface SimulatedMeshOptions {
  readonly seed: number;
  readonly siteCount: number;
  /** Bounds of the time that a frame takes, in milliseconds. Default: 5 to 40, as over ADSL. */
  readonly delayMs?: readonly [min: number, max: number];
}

export class SimulatedMesh {
  readonly time: FakeTime;
  readonly random: SeededRandom;
  readonly network: FakeNetwork;
  readonly founding: Founding;
  readonly sites: readonly SimulatedSite[];

  private constructor({ seed, siteCount, delayMs }: SimulatedMeshOptions) {
    this.time = new FakeTime(seed);
    this.random = new SeededRandom(seed);
    const delay = delayMs === undefined ? {} : { delayMs };
    this.network = new FakeNetwork({ time: this.time, seed, ...delay });
    this.founding = new Founding(`simulation ${seed}`);
    const names = Array.from({ length: siteCount }, (_, index) => `site-${index}`);
    this.sites = names.map((name) => {
      const id = this.founding.enrol(name);
      this.founding.grant(id, "zone", "hedge.example");
      return new SimulatedSite({ name, id, time: this.time, network: this.network });
    });
  }

  /** All sites are up, know one another, are linked and equal. */
  static async form(options: SimulatedMeshOptions): Promise<SimulatedMesh> {
    const mesh = new SimulatedMesh(options);
    for (const site of mesh.sites) {
      await site.start();
      await site.state.addStatements(mesh.founding.statements);
    }
    const linked = (): boolean =>
      mesh.sites.every(({ sync }) => sync.status().length === mesh.sites.length - 1);
    await mesh.time.until(linked, 60_000, "every link");
    await mesh.untilEqual(60_000);
    return mesh;
  }

  get up(): readonly SimulatedSite[] {
    return this.sites.filter(({ isUp }) => isUp);
  }

  site(index: number): SimulatedSite {
    const site = this.sites[index];
    if (site === undefined) throw new RangeError(`no site ${index}`);
    return site;
  }

  /** The two halves, by chance. */
  halves(): readonly [readonly SimulatedSite[], readonly SimulatedSite[]] {
    const mixed = this.random.shuffled(this.sites);
    const middle = Math.floor(mixed.length / 2);
    return [mixed.slice(0, middle), mixed.slice(middle)];
  }

  isEqual(): boolean {
    const digests = this.up.map(({ state }) => {
      return state.replica.stateDigest() + state.replica.statementDigest();
    });
    return new Set(digests).size <= 1;
  }

  /** Resolves with the milliseconds it took until all that are up held and showed the same. */
  async untilEqual(limitMs: number): Promise<number> {
    const tookMs = await this.time.until(() => this.isEqual(), limitMs, "equal state everywhere");
    const shown = new Set(this.up.map((site) => site.fingerprint()));
    assert.equal(shown.size, 1, "equal logs and statements give equal views and serials");
    return tookMs;
  }
}

/** A service record that says which write it was. */
export function service(name: string): { name: string; ports: never[]; addresses: never[] } {
  return { name, ports: [], addresses: [] };
}
