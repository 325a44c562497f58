/** A test mesh whose sites reach each other through gates only, so that it can be cut in parts. */
import assert from "node:assert/strict";
import { Gate } from "./gate.ts";
import type { TestMesh } from "./harness.ts";
import type { Json, SiteOptions, TestSite } from "./test-site.ts";

const GATE_PORT = 7412;

export class GatedMesh {
  readonly sites: readonly TestSite[];
  readonly gates: readonly Gate[];

  private constructor(sites: readonly TestSite[], gates: readonly Gate[]) {
    this.sites = sites;
    this.gates = gates;
  }

  /** Starts and joins sites. @param gates - Those that are opened; close them at the end. */
  static async form(
    mesh: TestMesh,
    names: readonly string[],
    gates: Gate[],
    options: Pick<SiteOptions, "dht" | "toml" | "env"> = {},
  ): Promise<GatedMesh> {
    for (const name of names) {
      const site = await mesh.site(name, options);
      await site.configure({ ...options, announce: [`${site.address}:${GATE_PORT}`] });
      gates.push(
        await Gate.open({
          listen: { address: site.address, port: GATE_PORT },
          target: { address: site.address, port: site.meshPort },
          callers: () => mesh.sites.filter(({ running }) => running).map(({ pid }) => pid),
        }),
      );
    }
    await Promise.all(mesh.sites.map((site) => site.start()));
    const [first, ...others] = mesh.sites;
    assert.ok(first !== undefined);
    await mesh.found(first);
    for (const site of others) await mesh.join(first, site);
    for (const site of mesh.sites) await site.pleach("wait", "--for", "mesh", "--timeout", "60s");
    return new GatedMesh(mesh.sites, gates);
  }

  /** From now on nobody of the one part reaches anybody of the other. */
  cut(one: readonly TestSite[], other: readonly TestSite[]): void {
    for (const [index, gate] of this.gates.entries()) {
      const inOne = one.some((site) => site === this.sites[index]);
      const away = inOne ? other : one;
      gate.shutFor(() => away.filter(({ running }) => running).map(({ pid }) => pid));
    }
  }

  heal(): void {
    for (const gate of this.gates) gate.shutFor(() => []);
  }
}

/** Names of the peers that a site is linked to. */
export async function upAt(site: TestSite): Promise<readonly string[]> {
  const { peers } = (await site.pleach("peers")) as { peers: readonly Json[] };
  return peers
    .filter(({ state }) => state === "up")
    .map(({ name }) => String(name))
    .toSorted();
}
