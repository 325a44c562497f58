/**
 * A box that was taken over, with the site's key and the owner's delegation in hand. Its clock is set
 * years ahead and back, lists that drop nearly everything and then all of it go out over the
 * daemon's own socket, and others, truly empty, with numbers near the last one there is, past the daemon;
 * holders are filled, each with something else. The holders' time then goes on.
 *
 * What the last honest list named is there, is found by a box with nothing but the sheet, and
 * restores; where nearly all of it was dropped, the holder's people are asked, and only their word
 * lets it go. When the box has been put back from an image, the next honest run fits.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
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
import type { Head } from "../../protocol/backup/head.ts";
import {
  MAX_LIST_ENTRIES,
  signList,
  type ListEntry,
  type SignedList,
} from "../../protocol/backup/list.ts";
import {
  idOf,
  sha256,
  toHex,
  type ChainId,
  type ListId,
  type OwnerId,
  type SetId,
  type ShardId,
  type SiteId,
} from "../../protocol/ids.ts";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import { placeKey, placeRecord } from "../../protocol/logs/record.ts";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import { formMesh, phraseFile } from "../form.ts";
import { withMesh } from "../harness.ts";
import { HostileMember } from "../hostile/hostile-member.ts";
import { offerList } from "../hostile/offer-list.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;
const WAIT_MS = 180_000;
const OTHER_CLOCK = new URL("../hostile/other-clock.ts", import.meta.url).pathname;
/** What each holder lends: the honest snapshots and twice as much. */
const GIVEN_BYTES = 48 * MIB;
/** A generation may be so much above the one before. */
const STEP = 2 ** 20;
const OTHER_SET = "00112233445566778899aabbccddeeff" as SetId;
const FLOOD: readonly ListEntry[] = Array.from({ length: MAX_LIST_ENTRIES }, (_none, at) => ({
  shard: idOf<ShardId>(sha256(`shard ${at}`)),
  sizeBytes: 4 * MIB,
}));

interface HeadBefore {
  readonly chain: string;
  readonly number: number;
  readonly root: string;
}

test("what the last honest list named survives its owner's own box, and the next honest run fits", () =>
  withMesh(async (mesh) => {
    const clock = join(mesh.directory, "clock");
    const setClock = (offMs: number): void => writeFileSync(clock, String(offMs));
    setClock(0);
    const plain = { dns: false, give: `${GIVEN_BYTES / MIB} MiB` };
    const env = { PLEACH_CLOCK_FILE: clock };
    const quimper = await mesh.site("quimper", { ...plain, program: OTHER_CLOCK, env });
    const brest = await mesh.site("brest", plain);
    const lorient = await mesh.site("lorient", plain);
    const vannes = await mesh.site("vannes", plain);
    const holders = [brest, lorient, vannes];
    await Promise.all(mesh.sites.map((site) => site.start()));
    await formMesh(mesh.sites, mesh.directory);
    const source = join(mesh.directory, "source");
    mkdirSync(source);
    for (let file = 0; file < 3; file++) {
      writeFileSync(join(source, `part${file}`), randomBytes(4 * MIB));
    }
    await quimper.pleach("backup", "add", "home", "--path", source);
    const run = await quimper.pleach("backup", "run", "home");
    const set = String(run["set"]) as SetId;
    const detail = () => quimper.client.get(`/v1/backup/sets/${set}`, setDetailShape);
    await untilSafe(quimper, set);
    // The first snapshot is forgotten: its own shards leave the lists, what the second needs stays.
    await quimper.pleach("backup", "run", "home");
    const forget = ["backup", "forget", "home", "--within", "0d"];
    const shown = await quimper.pleach(...forget, "--dry-run");
    assert.equal(shown["done"], false);
    const forgot = await quimper.pleach(...forget, "--yes");
    assert.equal((forgot["forgotten"] as unknown[]).length, 1);
    assert.equal(forgot["shards"], shown["shards"]);
    await untilSafe(quimper, set);
    const honest = await detail();
    const shards = honest.groups.flatMap(({ entries }) => entries.map(([shard]) => shard));
    assert.ok(shards.length > 3 && honest.head !== null);
    const assertKept = (site: TestSite): void => {
      const here = filesOf(site);
      for (const shard of shards) assert.ok(here.has(shard), `${site.name} has no ${shard}`);
    };
    await quimper.stop();
    const image = join(mesh.directory, "image");
    cpSync(quimper.directory, image, { recursive: true, preserveTimestamps: true });
    // From now on the owner's word is not young any more, so not all room is for its site.
    await Promise.all(holders.map((site) => later(site, 15 * DAY_MS)));

    // Thirty years ahead everything is old; then it is 1990.
    for (const years of [30, -36]) {
      setClock(years * 365 * DAY_MS);
      await quimper.start();
      await quimper.pleach("backup", "run", "home");
      await quimper.pleach("backup", "forget", "home", "--within", "1d", "--yes");
      if (years > 0) await quimper.stop();
    }
    const left = (await detail()).groups.flatMap(({ entries }) => entries.map(([one]) => one));
    const share = Math.ceil(left.length * 0.19);
    let head: HeadBefore | null = (await detail()).head;
    for (let step = 0; step < 5; step++) {
      const part = left.slice(step * share, (step + 1) * share);
      head = await dropShards(quimper, set, honest, part, head);
    }
    head = await dropShards(quimper, set, honest, left, head);
    await dropShards(quimper, set, honest, [], head);
    const before = await detail();
    await attack(quimper, { filled: [brest, vannes], emptied: [lorient] }, before);
    for (const site of holders) assertKept(site);

    // As long as it is promised, whatever else was put there; and for years where a person is asked.
    await later(brest, 43 * DAY_MS);
    assertKept(brest);
    await later(lorient, 3 * 365 * DAY_MS);
    const kept = await waitFor("the question", WAIT_MS, async () => {
      const { sets } = await lorient.client.get("/v1/backup/kept", keptShape);
      const one = sets.find((each) => each.set === set);
      return one !== undefined && one.asked !== null && one.lockedBytes > 0 && one;
    });
    assert.ok(kept.lockedBytes >= 12 * MIB);
    assertKept(lorient);
    const status = await lorient.run(["--json", "status"]);
    assert.match(status.stdout, /pleach backup agree/);

    const box = await mesh.site("box", { dns: false });
    await box.start();
    const sheet = phraseFile(mesh.directory, "quimper");
    const { siteId } = await brest.client.get("/v1/about", aboutShape);
    const peer = peerIdOf(siteId as SiteId).toString();
    const member = `/ip4/${brest.address}/tcp/${brest.meshPort}/p2p/${peer}`;
    const root = honest.head.root.slice(0, 16);
    const ways = ["--sheet", sheet, "--member", member, "--head", root];
    const recovered = await box.pleach("recover", ...ways, "--to", join(mesh.directory, "back"));
    const into = (recovered["sets"] as { into: string }[])[0]?.into ?? "";
    const assertSame = (folder: string): void => {
      for (const name of readdirSync(source)) {
        const back = readFileSync(join(folder, source, name));
        assert.ok(back.equals(readFileSync(join(source, name))), name);
      }
    };
    assertSame(into);
    await box.kill();

    await lorient.pleach("backup", "agree", set.slice(0, 8));
    await later(lorient, 15 * DAY_MS);
    await waitFor("the end of it", WAIT_MS, () => {
      const here = filesOf(lorient);
      return !shards.some((shard) => here.has(shard));
    });

    // The box is put back from its image, and the owner's key says that it is the owner's again.
    rmSync(quimper.directory, { recursive: true });
    cpSync(image, quimper.directory, { recursive: true, preserveTimestamps: true });
    setClock(0);
    await quimper.start();
    await quimper.pleach("backup", "lock", "--days", "30", "--phrase-file", sheet, "--yes");
    writeFileSync(join(source, "new"), randomBytes(MIB));
    const next = await waitFor("the next honest run", WAIT_MS, async () => {
      const { exit, stdout } = await quimper.run(["--json", "backup", "run", "home"]);
      if (exit !== 0) throw new Error(stdout);
      return detail();
    });
    if (next.tips.length > 0) {
      const newest = next.head?.root.slice(0, 16) ?? "";
      await quimper.pleach("backup", "settle", "home", "--head", newest, "--yes");
    }
    await untilSafe(quimper, set);
    const to = join(mesh.directory, "next");
    await quimper.pleach("restore", "home", "--to", to);
    assertSame(to);
  }));

/** Publishes past the daemon, in the name of its site, what an honest one never would. */
async function attack(
  box: TestSite,
  { filled, emptied }: Record<"filled" | "emptied", readonly TestSite[]>,
  { owner, setId, head, groups }: z.infer<typeof setDetailShape>,
): Promise<void> {
  const holders = [...filled, ...emptied];
  const set = setId as SetId;
  const [{ generation } = { generation: 0 }] = groups;
  assert.ok(head !== null);
  const last: Head = {
    chain: head.chain as ChainId,
    ...{ number: Number.MAX_SAFE_INTEGER, previous: null, atMs: Number.MAX_SAFE_INTEGER },
    root: idOf<ShardId>(sha256("nowhere")),
  };
  const list = idOf<ListId>(sha256("nowhere"));
  const nowhere = { targets: [], generation: Number.MAX_SAFE_INTEGER, list };
  const member = await HostileMember.takeOver(box, holders, async (state) => {
    const self = state
      .view()
      .entries("place")
      .find(({ key }) => key === placeKey(set));
    const told = placeRecord.parse(self?.value);
    const value = z.encode(placeRecord, {
      ...{ ...told, head: last, keyEpoch: Number.MAX_SAFE_INTEGER, groupCount: 3 },
      groups: [1, 2, 3].map(() => ({ ...nowhere, shards: 65_536, bytes: 2 ** 52 })),
    });
    await state.write([{ class: "place", key: placeKey(set), value: value as JsonValue }]);
  });
  const { key, meshId, entries, siteNamed } = member.loot;
  const plain = { mesh: meshId, owner: owner as OwnerId, set, group: 0, groups: 1 };
  const sealed = { sealedName: new Uint8Array(), keyEpoch: Number.MAX_SAFE_INTEGER, copies: 16 };
  const fields = { ...plain, ...sealed, previous: null, head: last };
  const none = new Map<ShardId, Uint8Array>();
  try {
    for (const site of holders) {
      const to = siteNamed(site.name);
      const offer = async (signed: SignedList, bytes: ReadonlyMap<ShardId, Uint8Array>) => {
        return offerList(await member.openShards(to), signed, bytes);
      };
      // Numbers that would leave none for the next list, of this set and of one that is new.
      const highest = { ...fields, generation: Number.MAX_SAFE_INTEGER };
      assert.equal(await offer(signList(key, highest, []), none), "step");
      assert.equal(await offer(signList(key, { ...highest, set: OTHER_SET }, []), none), "step");
      // All that a list may name, each shard as large as one may be.
      const step = { ...fields, generation: generation + STEP };
      assert.match(await offer(signList(key, step, FLOOD), none), /^(?:cap|space)$/);
      // Twice nothing at all: no head, no shard.
      for (let at = 0; at < 2; at++) {
        const empty = signList(key, { ...step, generation: step.generation + at, head: null }, []);
        assert.equal(await offer(empty, none), "end");
      }
      if (!filled.includes(site)) continue;
      await fill(
        offer,
        (number, named) =>
          signList(key, { ...step, generation: step.generation + 2 + number }, named),
        (bytes) => shardIdOf(plain.owner, set, bytes),
      );
    }
    for (const { name } of holders) {
      const own = entries.filter(({ header }) => header.author === idOf(key.publicKey));
      await member.push(
        siteNamed(name),
        own.map(({ bytes }) => bytes),
      );
    }
  } finally {
    await member.stop();
  }
}

/** Fills a holder with what nobody has sealed until it takes no more. */
async function fill(
  offer: (list: SignedList, bytes: ReadonlyMap<ShardId, Uint8Array>) => Promise<string>,
  sign: (number: number, named: readonly ListEntry[]) => SignedList,
  idOfShard: (bytes: Uint8Array) => ShardId,
): Promise<void> {
  const junk = new Map<ShardId, Uint8Array>();
  let number = 0;
  for (const sizeBytes of [4 * MIB, MIB / 2]) {
    for (let answer = "end"; answer === "end"; number++) {
      const bytes = randomBytes(sizeBytes);
      const id = idOfShard(bytes);
      const named = [...junk, [id, bytes] as const].map(([one, all]) => {
        return { shard: one, sizeBytes: all.length };
      });
      answer = await offer(sign(number, named), new Map([...junk, [id, bytes]]));
      if (answer === "end") junk.set(id, bytes);
      else assert.match(answer, /^(?:cap|space)$/);
    }
  }
  const bytes = [...junk.values()].reduce((sum, { length }) => sum + length, 0);
  assert.ok(bytes >= 20 * MIB, `${bytes}`);
}

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
    { owner, sealedName, keyEpoch, copies: 3, head, add: [[root, 4096]], remove },
    commitAnswerShape,
  );
  await untilSafe(site, set);
  return head;
}

async function untilSafe(site: TestSite, set: SetId): Promise<void> {
  await waitFor("the copies", WAIT_MS, async () => {
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
