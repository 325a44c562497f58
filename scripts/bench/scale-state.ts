/**
 * How large the state of so many sites is: each with 200 services and 2,000 DNS records, in a real
 * store on a real disk, taken over entry by entry as from a peer and opened again.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { openLevelStore } from "../../daemon/state/level-store.ts";
import { State } from "../../daemon/state/state.ts";
import { readEnvelope } from "../../protocol/logs/envelope.ts";
import { encodeStatement } from "../../protocol/statements/statement.ts";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { entriesOf, startMember } from "../../test-mesh/fakes/state-node.ts";

const SERVICES = 200;
const DNS_RECORDS = 2_000;
/** Written at once, as an import does. */
const AT_ONCE = 500;

/** What scale-open.ts tells. */
interface OpenedState {
  readonly records: number;
  readonly logs: number;
  readonly openMs: number;
  /** Of the process, and by how much opening the state made it grow. */
  readonly residentBytes: number;
  readonly grownBytes: number;
}

interface StateSize extends OpenedState {
  readonly sites: number;
  /** All statements and entries: what a new site fetches. */
  readonly fullSyncBytes: number;
  readonly bytesOfClass: Readonly<Record<string, number>>;
  readonly diskBytes: number;
  readonly takeOverMs: number;
}

export async function measureState(sites: number): Promise<StateSize> {
  const founding = new Founding("scale");
  const names = Array.from({ length: sites }, (_, index) => `site-${index}`);
  for (const name of names) founding.grant(founding.enrol(name), "zone", `${name}.example`);
  const entries: Uint8Array[] = [];
  for (const name of names) entries.push(...(await entriesOfSite(name, founding)));
  const bytesOfClass: Record<string, number> = {};
  for (const bytes of entries) {
    const { class: name } = readEnvelope(bytes).header;
    bytesOfClass[name] = (bytesOfClass[name] ?? 0) + bytes.length;
  }
  const travelling = [...founding.statements.map(encodeStatement), ...entries];
  const directory = await mkdtemp(join(tmpdir(), "scale-"));
  try {
    const takeOverMs = await takeOver(founding, entries, directory);
    const child = join(import.meta.dirname, "scale-open.ts");
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--expose-gc",
      child,
      directory,
    ]);
    return {
      sites,
      ...(JSON.parse(stdout) as OpenedState),
      fullSyncBytes: travelling.reduce((sum, { length }) => sum + length, 0),
      bytesOfClass,
      diskBytes: await sizeOf(directory),
      takeOverMs,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function entriesOfSite(name: string, founding: Founding): Promise<Uint8Array[]> {
  const state = await startMember(name, founding.statements);
  const services = Array.from({ length: SERVICES }, (_, index) => ({
    class: "site" as const,
    key: `service/app-${index}`,
    value: {
      name: `app-${index}`,
      addresses: [`192.0.2.${index % 250}`, `2001:db8::${index}`],
      ports: [{ name: "https", port: 443, transport: "tcp" }],
      maintainers: ["admin@example.org"],
    },
  }));
  const records = Array.from({ length: DNS_RECORDS }, (_, index) => ({
    class: "zone" as const,
    key: `${name}.example/host-${index}/A/${index}`,
    value: { ttl: 3600, data: `192.0.2.${index % 250}`, view: "public" },
  }));
  for (const list of [services, records]) {
    for (let at = 0; at < list.length; at += AT_ONCE)
      await state.write(list.slice(at, at + AT_ONCE));
  }
  return entriesOf(state);
}

async function takeOver(
  founding: Founding,
  entries: readonly Uint8Array[],
  directory: string,
): Promise<number> {
  const store = await openLevelStore({ directory, log: silentLogger, ballastBytes: 0 });
  const siteKey = testKey("site-0");
  const state = await State.open({ store, clock: systemClock, log: silentLogger, siteKey });
  await state.addStatements(founding.statements);
  const startMs = performance.now();
  for (let at = 0; at < entries.length; at += 64) {
    const some = entries.slice(at, at + 64);
    await Promise.all(some.map((bytes) => state.replica.receiveEnvelope(bytes, state.siteId)));
  }
  const tookMs = Math.round(performance.now() - startMs);
  await state.close();
  await store.close();
  return tookMs;
}

async function sizeOf(directory: string): Promise<number> {
  let sizeBytes = 0;
  for (const name of await readdir(directory, { recursive: true })) {
    const file = await stat(join(directory, name));
    if (file.isFile()) sizeBytes += file.size;
  }
  return sizeBytes;
}
