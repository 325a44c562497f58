/**
 * A box that was taken over: root uses the daemon's own socket to publish lists that drop nearly
 * everything, then all of it, under heads of its own. The holder's time then goes on for years.
 * What the last honest list named is there, is found by a box with nothing but the sheet, and
 * restores; the holder's people are asked, and only their word lets it go.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { aboutShape } from "../../daemon/control/shapes.ts";
import {
  commitAnswerShape,
  copiesShape,
  keptShape,
  setDetailShape,
} from "../../daemon/control/shapes-backup.ts";
import { peerIdOf } from "../../daemon/mesh/peer-id.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { openLevelStore } from "../../daemon/state/level-store.ts";
import { toHex, type OwnerId, type SetId, type SiteId } from "../../protocol/ids.ts";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import { phraseFile } from "../form.ts";
import { withMesh } from "../harness.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

interface HeadBefore {
  readonly chain: string;
  readonly number: number;
  readonly root: string;
}

test("what the last honest list named survives its owner's own box, and restores", () =>
  withMesh(async (mesh) => {
    const [quimper, brest] = await mesh.form(["quimper", "brest"]);
    assert.ok(quimper && brest);
    const source = join(mesh.directory, "source");
    mkdirSync(source);
    for (let file = 0; file < 6; file++) {
      writeFileSync(join(source, `part${file}`), randomBytes(4 * MIB));
    }
    await quimper.pleach("backup", "add", "home", "--path", source);
    const run = await quimper.pleach("backup", "run", "home", "--copies", "1");
    const set = String(run["set"]) as SetId;
    await untilSafe(quimper, set);
    // The first snapshot is forgotten: its own shards leave the lists, what the second needs stays.
    await quimper.pleach("backup", "run", "home", "--copies", "1");
    const forget = ["backup", "forget", "home", "--within", "0d"];
    const shown = await quimper.pleach(...forget, "--dry-run");
    assert.equal(shown["done"], false);
    const forgot = await quimper.pleach(...forget, "--yes");
    assert.equal((forgot["forgotten"] as unknown[]).length, 1);
    assert.equal(forgot["shards"], shown["shards"]);
    await untilSafe(quimper, set);
    const honest = await quimper.client.get(`/v1/backup/sets/${set}`, setDetailShape);
    const shards = honest.groups.flatMap(({ entries }) => entries.map(([shard]) => shard));
    assert.ok(shards.length > 6);

    const share = Math.ceil(shards.length * 0.19);
    let head: HeadBefore | null = honest.head;
    for (let step = 0; step < 5; step++) {
      const part = shards.slice(step * share, (step + 1) * share);
      head = await dropShards(quimper, set, honest, part, head);
    }
    head = await dropShards(quimper, set, honest, shards, head);
    await dropShards(quimper, set, honest, [], head);
    await quimper.kill();

    await later(brest, 3 * 365 * DAY_MS);
    const kept = await waitFor("the question", 40_000, async () => {
      const { sets } = await brest.client.get("/v1/backup/kept", keptShape);
      const [one] = sets;
      return one !== undefined && one.asked !== null && one.lockedBytes > 0 && one;
    });
    assert.ok(kept.lockedBytes >= 24 * MIB);
    const here = filesOf(brest);
    for (const shard of shards) assert.ok(here.has(shard), shard);
    const status = await brest.run(["--json", "status"]);
    assert.match(status.stdout, /pleach backup agree/);

    const box = await mesh.site("box");
    await box.start();
    const sheet = phraseFile(mesh.directory, "quimper");
    const { siteId } = await brest.client.get("/v1/about", aboutShape);
    const peer = peerIdOf(siteId as SiteId).toString();
    const member = `/ip4/${brest.address}/tcp/${brest.meshPort}/p2p/${peer}`;
    const to = join(mesh.directory, "back");
    const root = honest.head?.root.slice(0, 16) ?? "";
    const ways = ["--sheet", sheet, "--member", member, "--to", to, "--head", root];
    const { exit, stdout } = await box.run(["--json", "recover", ...ways]);
    assert.equal(exit, 0, stdout);
    const { sets } = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as {
      sets: { into: string }[];
    };
    const into = sets[0]?.into ?? "";
    for (const name of readdirSync(source)) {
      assert.deepEqual(readFileSync(join(into, source, name)), readFileSync(join(source, name)));
    }

    await brest.pleach("backup", "agree", set.slice(0, 8));
    await later(brest, 15 * DAY_MS);
    await waitFor(
      "the end of it",
      40_000,
      () => !shards.some((shard) => filesOf(brest).has(shard)),
    );
  }));

/** Publishes a list without these shards, under a head that follows the newest one and leads nowhere. */
async function dropShards(
  site: TestSite,
  set: SetId,
  { owner, sealedName, keyEpoch }: { owner: string; sealedName: string; keyEpoch: number },
  remove: readonly string[],
  before: HeadBefore | null,
): Promise<HeadBefore> {
  const bytes = randomBytes(4096);
  const root = shardIdOf(owner as OwnerId, set, bytes);
  await site.client.putOctets(`/v1/backup/sets/${set}/shards/${root}`, bytes);
  const chain = before?.chain ?? toHex(randomBytes(16));
  const number = (before?.number ?? 0) + 1;
  const head = { chain, number, previous: before?.root ?? null, root, atMs: 2 ** 52 };
  await site.client.post(
    `/v1/backup/sets/${set}/commit`,
    { owner, sealedName, keyEpoch, copies: 1, head, add: [[root, 4096]], remove },
    commitAnswerShape,
  );
  await untilSafe(site, set);
  return head;
}

async function untilSafe(site: TestSite, set: SetId): Promise<void> {
  await waitFor("the copy", 30_000, async () => {
    const copies = await site.client.get(`/v1/backup/sets/${set}/copies`, copiesShape);
    if (!copies.safe) throw new Error(JSON.stringify(copies));
    return true;
  });
}

/** Restarts a site as if its daemon had run on for so long. */
async function later(site: TestSite, durationMs: number): Promise<void> {
  await site.stop();
  const store = await openLevelStore({
    directory: join(site.dataDirectory, "state"),
    log: silentLogger,
  });
  const key = "backup/running-ms";
  const before = Number(Buffer.from((await store.get(key)) ?? []).toString("latin1"));
  const value = Buffer.from(String(before + durationMs), "latin1");
  await store.write([{ kind: "put", key, value }], "durable");
  await store.close();
  await site.start();
}

function filesOf(site: TestSite): Set<string> {
  const root = join(site.dataDirectory, "shards", "shards");
  const all = readdirSync(root, { recursive: true, withFileTypes: true });
  return new Set(all.filter((entry) => entry.isFile()).map(({ name }) => name));
}
