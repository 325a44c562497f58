/**
 * kill -9 at random moments of state writes, storing and transfer on a mesh of four sites.
 *
 * What a site has acknowledged (a service, a stored shard, a committed list) is there after the
 * next start; at the end all views are equal and every committed shard is on three other sites.
 * KILL_ROUNDS sets how many kills there are, KILL_SEED repeats their moments.
 */
import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  commitAnswerShape,
  copiesShape,
  setDetailShape,
} from "../../daemon/control/shapes-backup.ts";
import { serviceResult, servicesShape } from "../../daemon/control/shapes-inventory.ts";
import { membershipShape } from "../../daemon/control/shapes-membership.ts";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import type { OwnerId, SetId, ShardId } from "../../protocol/ids.ts";
import { shardIdOf } from "../../protocol/shard-id.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { withMesh } from "../harness.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const ROUNDS = Number(process.env["KILL_ROUNDS"] ?? 16);
const SEED = Number(process.env["KILL_SEED"] ?? randomInt(2 ** 31));
const SHARD_BYTES = 64 * 1024;
const MAX_DELAY_MS = 400;
const SETTLE_MS = 120_000;

/** What a site has said yes to. */
interface Acknowledged {
  readonly services: Map<string, string>;
  readonly stored: Map<ShardId, Uint8Array>;
  readonly committed: Set<ShardId>;
}

/** A site that writes without a pause for as long as its daemon answers. */
class Writer {
  readonly site: TestSite;
  readonly set = randomBytes(16).toString("hex") as SetId;
  readonly said: Acknowledged = { services: new Map(), stored: new Map(), committed: new Set() };
  #owner: OwnerId | undefined;
  #count = 0;

  constructor(site: TestSite) {
    this.site = site;
  }

  async write(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      try {
        await this.#declare();
        await this.#store();
      } catch {
        // The daemon is being killed; nothing of this was acknowledged.
        await sleep(20);
      }
    }
  }

  async #declare(): Promise<void> {
    const name = `s${this.#count % 20}`;
    const address = `192.0.2.${(this.#count++ % 250) + 1}`;
    const service = { name, addresses: [address], ports: [], maintainers: [] };
    // Until the answer is there, either value may be found.
    this.said.services.delete(name);
    await this.site.client.put("/v1/services", { replace: true, service }, serviceResult);
    this.said.services.set(name, address);
  }

  async #store(): Promise<void> {
    const { client } = this.site;
    const owner = (this.#owner ??= await this.#ownOwner());
    const bytes = Uint8Array.from(randomBytes(SHARD_BYTES));
    const shard = shardIdOf(owner, this.set, bytes);
    await client.putOctets(`/v1/backup/sets/${this.set}/shards/${shard}`, bytes);
    this.said.stored.set(shard, bytes);
    const request = {
      ...{ owner, sealedName: "AAAA", keyEpoch: 1, copies: 3, head: null, remove: [] },
      add: [[shard, bytes.length]],
    };
    await client.post(`/v1/backup/sets/${this.set}/commit`, request, commitAnswerShape);
    this.said.committed.add(shard);
  }

  async #ownOwner(): Promise<OwnerId> {
    const { sites, siteId } = await this.site.client.get("/v1/membership", membershipShape);
    const owner = sites.find((site) => site.siteId === siteId)?.owners[0];
    assert.ok(owner !== undefined);
    return owner as OwnerId;
  }

  /** Throws when something acknowledged is gone. */
  async check(): Promise<void> {
    const { client, name } = this.site;
    const { services } = await client.get("/v1/services", servicesShape);
    for (const [service, address] of this.said.services) {
      const found = services.find((each) => each.site === name && each.name === service);
      assert.deepEqual(found?.addresses, [address], `${service} of ${name}`);
    }
    if (this.said.committed.size > 0) {
      const { groups } = await client.get(`/v1/backup/sets/${this.set}`, setDetailShape);
      const listed = new Set(groups.flatMap(({ entries }) => entries.map(([shard]) => shard)));
      for (const shard of this.said.committed) assert.ok(listed.has(shard), `${shard} of ${name}`);
    }
    const [newest] = [...this.said.stored].slice(-1);
    if (newest === undefined) return;
    const [shard, bytes] = newest;
    const path = `/v1/backup/sets/${this.set}/shards/${shard}`;
    assert.deepEqual(Buffer.from(await client.getOctets(path, SHARD_BYTES)), Buffer.from(bytes));
  }
}

test(`${ROUNDS} kills at random moments lose nothing acknowledged (seed ${SEED})`, () =>
  withMesh(async (mesh) => {
    const random = new SeededRandom(SEED);
    const below = (limit: number): number => Buffer.from(random.bytes(4)).readUInt32BE() % limit;
    const sites = await mesh.form(["quimper", "brest", "lorient", "vannes"]);
    const writers = sites.slice(0, 2).map((site) => new Writer(site));
    let goesOn = true;
    const writing = writers.map((writer) => writer.write(() => goesOn));
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await sleep(below(MAX_DELAY_MS));
        const victim = sites[below(sites.length)];
        assert.ok(victim !== undefined);
        await victim.kill();
        await victim.start();
        const writer = writers.find(({ site }) => site === victim);
        if (writer !== undefined) await writer.check();
      }
    } finally {
      goesOn = false;
      await Promise.all(writing);
    }
    for (const writer of writers) {
      await writer.check();
      await waitFor(`copies of ${writer.site.name}`, SETTLE_MS, async () => {
        const path = `/v1/backup/sets/${writer.set}/copies`;
        const { safe, atRisk, reasons } = await writer.site.client.get(path, copiesShape);
        if (!safe) throw new Error(`${atRisk}: ${reasons.join(" ")}`);
        return true;
      });
    }
    await waitFor("equal views", SETTLE_MS, async () => {
      const all = sites.map((site) => site.client.get("/v1/status", statusShape));
      return new Set((await Promise.all(all)).map(({ viewHash }) => viewHash)).size === 1;
    });
  }));
