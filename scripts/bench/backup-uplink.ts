/**
 * What three remote copies cost the uplink of the owner: bytes that its daemon sends, as the kernel
 * counts them, for each sealed byte.
 */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TestMesh } from "../../test-mesh/harness.ts";
import type { TestSite } from "../../test-mesh/test-site.ts";
import { waitFor } from "../../test-mesh/wait.ts";
import { run } from "./backup-measure.ts";

/** Handshakes and state, some 100 KB, should not show. */
const DATA_BYTES = 128 * 1024 * 1024;
const SAFE_TIMEOUT_MS = 10 * 60_000;
const SET = "data";

/** @param scratch - Where the data to back up are made. */
export async function ownerUplink(scratch: string): Promise<number> {
  const data = join(scratch, "uplink");
  await mkdir(data);
  await writeFile(join(data, "noise"), randomBytes(DATA_BYTES));
  const mesh = await TestMesh.create();
  try {
    const options = { dns: false, give: "1 TiB" };
    const [owner] = await mesh.form(["quimper", "brest", "lorient", "vannes"], options);
    if (owner === undefined) throw new RangeError("a mesh of four sites");
    await owner.pleach("wait", "--for", "mesh", "--timeout", "60s");
    await owner.pleach("backup", "add", SET, "--path", data);
    const sent = new SentBytes(owner);
    await sent.look();
    const before = sent.total;
    const { sealedBytes } = (await owner.pleach("backup", "run", SET)) as { sealedBytes: number };
    await waitFor("three copies of everything", SAFE_TIMEOUT_MS, async () => {
      await sent.look();
      const { copies } = (await owner.pleach("backup", "show", SET)) as {
        copies: { minReceipts: number };
      };
      return copies.minReceipts >= 3 ? true : undefined;
    });
    await sent.look();
    return (sent.total - before) / sealedBytes;
  } catch (cause) {
    throw new Error(`${(cause as Error).message}\n${await mesh.logs()}`, { cause });
  } finally {
    await mesh.close();
  }
}

/** Sums what each TCP connection of a daemon has sent; a closed one keeps its last figure. */
class SentBytes {
  readonly #site: TestSite;
  readonly #byConnection = new Map<string, number>();

  constructor(site: TestSite) {
    this.#site = site;
  }

  get total(): number {
    return [...this.#byConnection.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  async look(): Promise<void> {
    const answer = await run({ words: ["ss", "-tinpHO", "state", "connected"] });
    for (const line of answer.split("\n")) {
      if (!line.includes(`pid=${this.#site.pid},`)) continue;
      const ends = line
        .match(/\S+:\d+/g)
        ?.slice(0, 2)
        .join(" ");
      const bytes = /bytes_sent:(\d+)/.exec(line)?.[1];
      if (ends !== undefined && bytes !== undefined) this.#byConnection.set(ends, Number(bytes));
    }
  }
}
