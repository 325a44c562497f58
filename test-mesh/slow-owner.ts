/**
 * What three remote copies cost the line of their owner, measured on that line, with real processes.
 *
 * The owner's site has a slow uplink towards everybody, whoever dialled; all others are near one
 * another. First every holder keeps the receipts of later hops to itself; then the first hop is
 * killed in the middle of a run and comes back later.
 */
import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { RANGE_BYTES } from "../protocol/backup/shard-id.ts";
import { Gate } from "./gate.ts";
import type { TestMesh } from "./harness.ts";
import { SharedLine } from "./network/shared-line.ts";
import { StoredSet } from "./stored-set.ts";
import type { TestSite } from "./test-site.ts";
import { waitFor } from "./wait.ts";

const UNDER_WAY_BYTES = RANGE_BYTES + 64 * 1024;
const GATE_PORT = 7412;
const HOLDERS = ["brest", "lorient", "vannes", "rennes"];
const HOLDER_PROGRAM = new URL("./hostile/withholding-holder.ts", import.meta.url).pathname;

export interface SlowOwnerOptions {
  readonly bytesPerSecond: number;
  /** Sizes of the shards of each of two runs. */
  readonly sizes: readonly number[];
  readonly timeoutMs: number;
}

export interface SlowOwnerFigures {
  /** Bytes that left the owner's site, state and all, by the bytes of the shards. */
  readonly withheldRatio: number;
  /**
   * The same of the run in which the first hop was killed, without what it alone had and what was
   * just under way to it: a range that was not whole, and the cap of the link.
   */
  readonly killedRatio: number;
  /** What it alone had, by the bytes of the shards. */
  readonly aloneRatio: number;
  readonly seconds: { readonly withheld: number; readonly killed: number };
}

/** @param gates - Those that are opened; close them at the end. */
export async function measureSlowOwner(
  mesh: TestMesh,
  gates: { close(): void }[],
  { bytesPerSecond, sizes, timeoutMs }: SlowOwnerOptions,
): Promise<SlowOwnerFigures> {
  const uplink = new SharedLine(bytesPerSecond);
  gates.push(uplink);
  const flag = join(mesh.directory, "withhold");
  const { owner, holders } = await formMesh(mesh, gates, uplink, flag);
  const set = await StoredSet.create(owner);
  const sealed = sizes.reduce((sum, size) => sum + size, 0);

  await writeFile(flag, "");
  const [startMs, startBytes] = [performance.now(), uplink.passedBytes];
  await set.backUp(sizes);
  await set.untilSafe(timeoutMs);
  const withheldMs = performance.now() - startMs;
  const withheldBytes = uplink.passedBytes - startBytes;
  await rm(flag);

  const before = new Set(set.shards.keys());
  const [againMs, againBytes] = [performance.now(), uplink.passedBytes];
  await set.backUp(sizes);
  const added = [...set.shards.keys()].filter((shard) => !before.has(shard));
  await waitFor("half of the run", timeoutMs, async () => {
    return uplink.passedBytes - againBytes > sealed / 2;
  });
  const first = await mostOf(holders, added);
  // Before it dies: at once afterwards the owner begins to send the others what they lack.
  const elsewhere = await namesAt(holders.filter((site) => site !== first));
  await first.kill();
  const had = await filesOf(first);
  const alone = added
    .filter((name) => !elsewhere.has(name))
    .reduce((sum, name) => sum + (had.get(name) ?? 0), 0);
  await waitFor("two copies without it", timeoutMs, async () => {
    return (await set.copies()).minReceipts >= 2;
  });
  await first.start();
  await set.untilSafe(timeoutMs);
  const killedMs = performance.now() - againMs;
  const killedBytes = uplink.passedBytes - againBytes;
  return {
    withheldRatio: withheldBytes / sealed,
    killedRatio: (killedBytes - alone - UNDER_WAY_BYTES) / sealed,
    aloneRatio: alone / sealed,
    seconds: { withheld: withheldMs / 1000, killed: killedMs / 1000 },
  };
}

async function formMesh(
  mesh: TestMesh,
  gates: { close(): void }[],
  uplink: SharedLine,
  flag: string,
): Promise<{ owner: TestSite; holders: TestSite[] }> {
  const owner = await mesh.site("quimper", { dht: false });
  const env = { PLEACH_WITHHOLD: flag };
  const holders: TestSite[] = [];
  for (const name of HOLDERS) {
    holders.push(await mesh.site(name, { dht: false, env, program: HOLDER_PROGRAM }));
  }
  for (const site of mesh.sites) {
    await site.configure({ dht: false, announce: [`${site.address}:${GATE_PORT}`] });
    gates.push(
      await Gate.open({
        listen: { address: site.address, port: GATE_PORT },
        target: { address: site.address, port: site.meshPort },
        callers: () => mesh.sites.filter(({ running }) => running).map(({ pid }) => pid),
        carry: (from, to, sender) => {
          const isOwner = sender === "target" ? site === owner : sender === owner.pid;
          if (isOwner) uplink.carry(from, to);
          else from.pipe(to);
        },
      }),
    );
  }
  for (const site of mesh.sites) await site.start();
  await mesh.found(owner);
  for (const site of holders) await mesh.join(owner, site);
  for (const site of mesh.sites) await site.pleach("wait", "--for", "mesh", "--timeout", "60s");
  return { owner, holders };
}

/** The holder that has the most of these shards. */
async function mostOf(holders: readonly TestSite[], shards: readonly string[]): Promise<TestSite> {
  const counted = await Promise.all(
    holders.map(async (site) => {
      const files = await filesOf(site);
      return { site, bytes: shards.reduce((sum, name) => sum + (files.get(name) ?? 0), 0) };
    }),
  );
  const [most] = counted.toSorted((a, b) => b.bytes - a.bytes);
  if (most === undefined) throw new Error("no holder");
  return most.site;
}

/** The shards that any of these sites has whole. */
async function namesAt(sites: readonly TestSite[]): Promise<ReadonlySet<string>> {
  const names = sites.map(async (site) => {
    const root = join(site.dataDirectory, "shards", "shards");
    return readdir(root, { recursive: true });
  });
  return new Set((await Promise.all(names)).flat().map((path) => basename(path)));
}

/** Sizes of the shards that lie at a site, by name; of those in part, what is there. */
async function filesOf(site: TestSite): Promise<Map<string, number>> {
  const root = join(site.dataDirectory, "shards");
  const sizes = new Map<string, number>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    if (found !== undefined) sizes.set(entry.name.split(".").at(-1) ?? "", found.size);
  }
  return sizes;
}
