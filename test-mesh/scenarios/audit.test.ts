/**
 * Copies that are lost, damaged or withheld at real holders, with real files: found as designed,
 * shown, and made whole again, with the owner and without.
 *
 * vannes lies about some sets (test-mesh/hostile/lies.ts); brest and lorient are honest and lose
 * some files; rennes is there for copies that have to be made anew. The pace is a setting that
 * anybody may write into a configuration; 6 seconds stand for a day.
 */
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { accountsShape } from "../../daemon/control/shapes-backup.ts";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import { formMesh } from "../form.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import type { Lie } from "../hostile/lies.ts";
import { StoredSet } from "../stored-set.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

/** Of the shard in which a bit is flipped: asked for a leaf, holders read all of it. */
const FLIPPED_BYTES = 64 * 1024;
const LIAR = new URL("../hostile/lying-site.ts", import.meta.url).pathname;
const TOML = `[audit]
every = "6s"
whole = "6s"
scrub = "1000 days"
patience = "8s"
takeover = "10s"`;
const LIMIT_MS = 180_000;
/** Between two looks at files and accounts, which take their time. */
const LOOK_MS = 500;

/** Some shards of one leaf. */
const small = (count: number): number[] => Array.from({ length: count }, () => 4096);

const WAYS = ["deletes", "keeps the tree", "refuses", "hoards", "swaps"] as const;
type Way = (typeof WAYS)[number];
/** What audits are to find: who hoards proves all that is asked. */
const FOUND = WAYS.filter((way) => way !== "hoards");

class LyingMesh {
  readonly mesh: TestMesh;
  readonly lies: Record<string, Lie> = {};

  constructor(mesh: TestMesh) {
    this.mesh = mesh;
  }

  get liesFile(): string {
    return join(this.mesh.directory, "lies.json");
  }

  async start(): Promise<readonly [TestSite, TestSite, TestSite, TestSite, TestSite]> {
    await this.#tell();
    const plain = { toml: TOML, dns: false };
    const env = {
      PLEACH_LIES: this.liesFile,
      PLEACH_LIAR_DATA: join(this.mesh.directory, "vannes", "data"),
    };
    const quimper = await this.mesh.site("quimper", plain);
    const brest = await this.mesh.site("brest", plain);
    const lorient = await this.mesh.site("lorient", plain);
    const vannes = await this.mesh.site("vannes", { ...plain, program: LIAR, env });
    const rennes = await this.mesh.site("rennes", { ...plain, give: "0 B" });
    const sites = [quimper, brest, lorient, vannes, rennes] as const;
    await Promise.all(sites.map((site) => site.start()));
    await formMesh(sites, this.mesh.directory);
    return sites;
  }

  /** From now on vannes lies about a set in one of the ways. */
  async lie(vannes: TestSite, set: StoredSet, way: Way): Promise<void> {
    const [first, second, third] = set.shards.keys();
    assert.ok(first && second && third);
    this.lies[set.set] = way === "swaps" ? {} : way;
    // One chosen shard of them all.
    if (way === "deletes") await rm((await filesOf(vannes, set)).get(second) ?? "");
    if (way === "swaps") {
      // Another one instead of the first, and an old one instead of one that comes now.
      const added = await set.put(4096);
      this.lies[set.set] = { [first]: second, [added[0]]: third };
      await this.#tell();
      await set.commit([added], [third]);
    }
    await this.#tell();
  }

  async #tell(): Promise<void> {
    await writeFile(this.liesFile, JSON.stringify(this.lies));
  }
}

/** The shards of a set in a site's directory, by name. */
async function filesOf(site: TestSite, { owner, set }: StoredSet): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const root = join(site.dataDirectory, "shards", "shards", owner, set);
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isFile()) found.set(entry.name, join(entry.parentPath, entry.name));
  }
  return found;
}

/** Waits until these sites have every shard that a set names, each with its bytes. */
async function untilWhole(sites: readonly TestSite[], sets: readonly StoredSet[]): Promise<void> {
  for (const site of sites) {
    for (const set of sets) {
      await waitFor(`a whole copy at ${site.name}`, LIMIT_MS, async () => {
        const files = await filesOf(site, set);
        for (const shard of set.shards.keys()) {
          const path = files.get(shard);
          const bytes = path === undefined ? undefined : await readFile(path);
          if (bytes === undefined || shardIdOf(set.owner, set.set, bytes) !== shard) {
            return later(`no ${shard}`);
          }
        }
        return true;
      });
    }
  }
}

/** Says for a wait why it goes on, after a pause. */
async function later(why: string): Promise<never> {
  await sleep(LOOK_MS);
  throw new Error(why);
}

/** What the owner shows about a holder of a set. */
async function shown(set: StoredSet, holder: string) {
  const copies = await set.copies();
  return { copies, holder: copies.holders.find(({ name }) => name === holder) };
}

async function proofs(site: TestSite): Promise<string> {
  const { stdout } = await site.run(["--json", "status"]);
  const status = z
    .looseObject({ areas: z.array(z.looseObject({ name: z.string(), text: z.string() })) })
    .parse(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""));
  return status.areas.find(({ name }) => name === "Proofs")?.text ?? "";
}

test("losses and lies of holders are found, shown and made good, by the owner's sites and without", () =>
  withMesh(async (mesh) => {
    const lying = new LyingMesh(mesh);
    const [quimper, brest, lorient, vannes, rennes] = await lying.start();
    const create = async (sizes: readonly number[]): Promise<StoredSet> => {
      const set = await StoredSet.create(quimper);
      await set.backUp(sizes);
      return set;
    };
    const many = await create(small(100));
    const few = await create([FLIPPED_BYTES, 4096, 4096]);
    const lost = [many, few];
    const about = new Map<Way, StoredSet>();
    for (const way of WAYS) about.set(way, await create(small(3)));
    const sets = [...lost, ...about.values()];
    for (const set of sets) await set.untilSafe(LIMIT_MS);
    await untilWhole([brest, lorient, vannes], sets);

    // Honest holders get back what their disks lost: 1 %, 10 %, all, a bit.
    for (const [site, set, count] of [
      [brest, many, 1],
      [lorient, many, 10],
      [brest, few, 3],
    ] as const) {
      const files = [...(await filesOf(site, set)).values()];
      for (const path of files.slice(0, count)) await rm(path);
    }
    const [flipped] = few.shards.keys();
    const path = (await filesOf(lorient, few)).get(flipped ?? "") ?? "";
    const bytes = await readFile(path);
    bytes[33_333] = (bytes[33_333] ?? 0) ^ 8;
    await writeFile(path, bytes);
    for (const [way, set] of about) await lying.lie(vannes, set, way);

    // Nobody else lends anything: the liar stays a target, and is shown for what it does.
    const showsAs = async (set: StoredSet, outcome: string): Promise<void> => {
      await waitFor(`"${outcome}"`, LIMIT_MS, async () => {
        const { holder } = await shown(set, "vannes");
        return holder?.outcome === outcome || later(JSON.stringify(holder));
      });
    };
    const refused = about.get("refuses");
    assert.ok(refused);
    await showsAs(refused, "refused");
    await untilWhole([brest, lorient], lost);
    const failing = FOUND.flatMap((way) => about.get(way) ?? []);
    for (const set of failing) {
      await showsAs(set, "failed");
      const { copies } = await shown(set, "vannes");
      assert.equal(copies.safe, false);
      assert.match(copies.reasons.join(" "), /vannes/);
    }
    const proven = sets.filter((set) => !failing.includes(set));
    await waitFor("the account", LIMIT_MS, async () => {
      const sum = (some: readonly StoredSet[]) => some.reduce((all, { bytes }) => all + bytes, 0);
      const { accounts } = accountsShape.parse(await quimper.pleach("backup", "accounts"));
      const { keepsForUs } = accounts.find(({ name }) => name === "vannes") ?? {};
      const expected = [sum(sets), sum(sets), sum(proven)];
      const { givenBytes, heldBytes, provenBytes } = keepsForUs ?? {};
      const told = [givenBytes, heldBytes, provenBytes];
      return (
        expected.every((one, at) => one === told[at]) ||
        later(`${told.join()} of ${expected.join()}`)
      );
    });
    assert.match(await proofs(quimper), /failed: vannes/);
    const hoarded = about.get("hoards");
    assert.ok(hoarded);
    assert.equal((await shown(hoarded, "vannes")).holder?.outcome, "proven");

    // What its owner's box lost comes from the holders that give; wrong bytes are never taken.
    for (const way of ["hoards", "swaps"] as const) {
      const set = about.get(way);
      assert.ok(set);
      for (const file of (await filesOf(quimper, set)).values()) await rm(file);
      for (const [shard, sealed] of set.shards) {
        const back = await quimper.client.getOctets(`${set.path}/shards/${shard}`, FLIPPED_BYTES);
        assert.deepEqual(Buffer.from(back), Buffer.from(sealed));
      }
    }

    // A site that lends takes the copies over; the owner's line carries nothing for it.
    const sent = await Promise.all(failing.map(async (set) => (await set.copies()).ownerSentBytes));
    await rennes.configure({ toml: TOML, dns: false });
    await rennes.stop();
    await rennes.start();
    await untilWhole([brest, lorient, rennes], failing);
    for (const [at, set] of failing.entries()) {
      await set.untilSafe(LIMIT_MS);
      assert.equal((await set.copies()).ownerSentBytes, sent[at]);
    }

    // The owner dies, and the liar begins anew: the other holders prove it and act.
    await quimper.kill();
    await lying.lie(vannes, hoarded, "deletes");
    await untilWhole([brest, lorient, rennes], [hoarded]);
    // A holder dies, too. It is away, which is something else than what the liar is.
    await brest.kill();
    await untilWhole([lorient, vannes, rennes], lost);
    assert.match(await proofs(lorient), /away: brest/);
  }));
