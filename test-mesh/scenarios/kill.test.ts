/**
 * A hundred kills at random moments of writing, backing up and passing on: what was acknowledged
 * is there afterwards, on every site, and the data restores.
 *
 * The moments come from a seed that is printed; PLEACH_SEED repeats them (the machine's own
 * timing it cannot repeat). PLEACH_KILL_ROUNDS sets another number of rounds.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { editResult, recordsShape } from "../../daemon/control/shapes-dns.ts";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import { parseId, type OwnerId, type SetId, type ShardId } from "../../protocol/ids.ts";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const ROUNDS = Number(process.env["PLEACH_KILL_ROUNDS"] ?? 100);
/** Longer than one write, shorter than a run with its transfer, so that kills fall into each. */
const LONGEST_DELAY_MS = 900;
const ZONE = "kill.example";
const SETTLE_TIMEOUT_MS = 60_000;

it(`${ROUNDS} kills lose nothing that was acknowledged`, { timeout: 1_500_000 }, async (test) => {
  const seed = Number(process.env["PLEACH_SEED"] ?? randomInt(2 ** 31));
  test.diagnostic(`figure kill.seed ${seed}`);
  const random = new SeededRandom(seed);

  await withMesh(async (mesh) => {
    const names = ["quimper", "brest", "lorient", "vannes"];
    const sites = await mesh.form(names);
    const [quimper] = sites;
    assert.ok(quimper);
    await quimper.pleach("dns", "add-zone", ZONE);
    const data = join(mesh.directory, "source");
    await growSource(data, 0);
    await quimper.pleach("backup", "add", "data", "--path", data);

    /** Names of records whose write was answered with yes. */
    const acknowledged = new Set<string>();
    let acknowledgedSnapshot = 0;
    const whole = new Set<string>();
    let interrupted = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const victim = random.pick(sites);
      await growSource(data, round);
      const work = Promise.allSettled([
        backUp(quimper).then((number) => {
          acknowledgedSnapshot = Math.max(acknowledgedSnapshot, number);
        }),
        ...sites.map((site, i) =>
          writeUntilRefused(site, `r${round}-${i}`, (name) => acknowledged.add(name)),
        ),
      ]);
      await sleep(random.below(LONGEST_DELAY_MS));
      await victim.kill();
      if (random.chance(0.25)) await killBackups(quimper);
      await noHalfShards(victim, whole);
      // The others go on meanwhile.
      const [ends] = await Promise.all([work, victim.start()]);
      if (ends.some(({ status }) => status === "rejected")) interrupted += 1;
    }
    test.diagnostic(`figure kill.rounds ${ROUNDS}`);
    test.diagnostic(`figure kill.rounds_with_interrupted_work ${interrupted}`);
    test.diagnostic(`figure kill.acknowledged_writes ${acknowledged.size}`);
    assert.ok(interrupted > ROUNDS / 4, "the kills hardly met any work");

    const last = await quimper.pleach("backup", "run", "data");
    const head = (last["head"] as { number: number } | undefined)?.number ?? 0;
    assert.ok(head >= acknowledgedSnapshot, `snapshot ${acknowledgedSnapshot} was acknowledged`);
    await quimper.pleach("wait", "--for", "mesh", "--sites", "4", "--timeout", "60s");
    await waitFor("equal views", SETTLE_TIMEOUT_MS, async () => {
      const hashes = await Promise.all(sites.map(viewHash));
      return new Set(hashes).size === 1;
    });
    for (const site of sites) {
      // Changes that follow one another are served together, up to 2 s later.
      await waitFor(`all acknowledged records at ${site.name}`, SETTLE_TIMEOUT_MS, async () => {
        const { records } = await site.client.get(`/v1/dns/zones/${ZONE}/records`, recordsShape);
        const present = new Set(records.map(({ name }) => name.replace(`.${ZONE}`, "")));
        const lost = [...acknowledged].filter((name) => !present.has(name));
        if (lost.length > 0) throw new Error(`lost: ${lost.join(" ")}`);
        return true;
      });
    }
    await quimper.pleach("wait", "--for", "copies", "--timeout", "180s");
    const target = join(mesh.directory, "restored");
    await quimper.pleach("restore", "data", "--to", target);
    const diff = await runProcess("diff", ["-r", "--no-dereference", data, join(target, data)]);
    assert.equal(diff.exit, 0, diff.stdout + diff.stderr);
  });
});

it("a site whose older copy was put back agrees with all, and nothing confirmed is lost", async () => {
  await withMesh(async (mesh: TestMesh) => {
    const sites = await mesh.form(["quimper", "brest", "lorient"]);
    const [quimper, brest] = sites;
    assert.ok(quimper && brest);
    await quimper.pleach("dns", "add-zone", ZONE);
    await quimper.pleach("dns", "set", `before.${ZONE}`, "A", "192.0.2.1");
    await quimper.stop();
    const copy = join(mesh.directory, "older");
    await must("cp", "-a", quimper.dataDirectory, copy);
    await quimper.start();
    await quimper.pleach("dns", "set", `after.${ZONE}`, "A", "192.0.2.2");
    await waitFor("brest to have it", SETTLE_TIMEOUT_MS, async () => {
      const { records } = await brest.client.get(`/v1/dns/zones/${ZONE}/records`, recordsShape);
      return records.some(({ name }) => name.startsWith("after"));
    });
    await quimper.kill();
    await rm(quimper.dataDirectory, { recursive: true });
    await must("cp", "-a", copy, quimper.dataDirectory);
    await quimper.start();
    await quimper.pleach("dns", "set", `later.${ZONE}`, "A", "192.0.2.3");
    await waitFor("equal views with all three records", SETTLE_TIMEOUT_MS, async () => {
      const hashes = await Promise.all(sites.map(viewHash));
      if (new Set(hashes).size !== 1) return false;
      const { records } = await quimper.client.get(`/v1/dns/zones/${ZONE}/records`, recordsShape);
      const present = records.map(({ name }) => name.split(".")[0]);
      return ["before", "after", "later"].every((name) => present.includes(name));
    });
  });
});

async function viewHash(site: TestSite): Promise<string | null> {
  return (await site.client.get("/v1/status", statusShape)).viewHash;
}

/** Writes records one after another until the site is gone. */
async function writeUntilRefused(
  site: TestSite,
  prefix: string,
  acknowledge: (name: string) => void,
): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const name = `${prefix}-${i}`;
    const edit = { action: "set", name: `${name}.${ZONE}`, type: "A", data: ["192.0.2.7"] };
    await site.client.post("/v1/dns/records", edit, editResult, { timeoutMs: 10_000 });
    acknowledge(name);
    await sleep(100);
  }
}

/** @returns The number of the snapshot that was stored. @throws Error when it was cut off. */
async function backUp(site: TestSite): Promise<number> {
  const done = await site.pleach("backup", "run", "data");
  return (done["head"] as { number: number }).number;
}

/** Kills the client as well, now and then. */
async function killBackups(site: TestSite): Promise<void> {
  await runProcess("pkill", ["-9", "-f", `${site.configFile} --json backup run`]);
}

/** Changes some files, adds some, so that each run has something to send. */
async function growSource(folder: string, round: number): Promise<void> {
  await mkdir(join(folder, `round-${round}`), { recursive: true });
  const text = `round ${round}\n`.repeat(20_000);
  await writeFile(join(folder, `round-${round}`, "new"), text);
  await appendFile(join(folder, "grows"), text);
}

/**
 * Each file of the shard store hashes to its own name: nothing half done has a final name.
 *
 * @param whole - Files that were found whole before and were not touched since are not read again.
 */
async function noHalfShards(site: TestSite, whole: Set<string>): Promise<void> {
  const files = await readdir(site.dataDirectory, { recursive: true, withFileTypes: true });
  for (const file of files) {
    const shard = parseId<ShardId>(file.name);
    if (!file.isFile() || shard === undefined) continue;
    const path = join(file.parentPath, file.name);
    const { ino, mtimeNs, size } = await stat(path, { bigint: true });
    const version = `${path} ${ino} ${mtimeNs} ${size}`;
    if (whole.has(version)) continue;
    const [set, owner] = file.parentPath.split("/").reverse().slice(1);
    const named = shardIdOf(
      parseId<OwnerId>(owner) ?? assert.fail(`owner ${owner}`),
      parseId<SetId>(set, 16) ?? assert.fail(`set ${set}`),
      await readFile(path),
    );
    assert.equal(named, shard, `${path} is not whole`);
    whole.add(version);
  }
}

async function must(program: string, ...args: readonly string[]): Promise<void> {
  const { exit, stderr } = await runProcess(program, args);
  assert.equal(exit, 0, stderr);
}
