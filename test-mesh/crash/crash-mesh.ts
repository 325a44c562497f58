/**
 * An owner's site and two holders with real processes and disks, the data set that they keep, and
 * what was acknowledged of it.
 */
import { open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readSetKeys, type SetKeyFile } from "../../daemon/backup/client/keys/set-key-file.ts";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import { joinMesh } from "../form.ts";
import { TestMesh } from "../harness.ts";
import type { RunResult } from "../run-process.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";
import type { RunningCommand } from "./command.ts";
import { CrashSite } from "./crash-site.ts";
import { SourceTree, type Manifest } from "./source-tree.ts";
import { StoredFiles } from "./stored-files.ts";

const SET_NAME = "data";
const COPIES = "2";
const PORTIONS = fileURLToPath(new URL("backup-in-portions.ts", import.meta.url));
/** Beyond what rounds that are far quicker than real days send. */
const HOLDER_TOML = `daily = "4 GiB"`;
const SETTLE_TIMEOUT_MS = 180_000;

/** A snapshot that a run reported as stored. */
export interface Acknowledged {
  readonly number: number;
  readonly root: string;
  readonly atMs: number;
  readonly manifest: Manifest;
}

export class CrashMesh {
  readonly mesh: TestMesh;
  readonly owner: CrashSite;
  readonly holders: readonly CrashSite[];
  readonly source: SourceTree;
  readonly keys: SetKeyFile;
  readonly files: StoredFiles;
  /** Oldest first; those that were forgotten are not among them. */
  acknowledged: Acknowledged[] = [];

  private constructor(
    mesh: TestMesh,
    sites: readonly [CrashSite, ...CrashSite[]],
    source: SourceTree,
  ) {
    const [owner, ...holders] = sites;
    this.mesh = mesh;
    this.owner = owner;
    this.holders = holders;
    this.source = source;
    this.keys = readSetKeys(owner.site.keysDirectory, SET_NAME);
    this.files = new StoredFiles(this.keys.owner, this.keys.set);
  }

  get all(): readonly CrashSite[] {
    return [this.owner, ...this.holders];
  }

  get sites(): readonly TestSite[] {
    return this.all.map(({ site }) => site);
  }

  /** Makes the mesh, hands it over, and takes everything away at the end. */
  static async with(act: (mesh: CrashMesh) => Promise<void>): Promise<void> {
    const mesh = await TestMesh.create();
    const made: CrashSite[] = [];
    try {
      const source = new SourceTree(join(mesh.directory, "source"));
      const set = `[[backup]]\nname = "${SET_NAME}"\npaths = [${JSON.stringify(source.folder)}]`;
      for (const [name, toml] of [
        ["quimper", `${HOLDER_TOML}\n${set}`],
        ["brest", HOLDER_TOML],
        ["lorient", HOLDER_TOML],
      ] as const) {
        made.push(await CrashSite.make(mesh, name, { toml, dns: false, dht: false }));
      }
      const [owner, ...holders] = made;
      if (owner === undefined) throw new RangeError("there are three");
      await Promise.all(made.map((site) => site.start()));
      await mesh.found(owner.site);
      for (const { site } of holders) await joinMesh(owner.site, site, mesh.directory);
      await owner.site.pleach("backup", "add", SET_NAME);
      await act(new CrashMesh(mesh, [owner, ...holders], source));
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\n${await mesh.logs()}`, { cause });
    } finally {
      for (const site of made) await site.close();
      await mesh.close();
    }
  }

  /** A run as a process of its own. @param inPortions - Lists go out while it runs. */
  beginBackup(inPortions: boolean): RunningCommand {
    if (!inPortions) return this.owner.begin("backup", "run", SET_NAME, "--copies", COPIES);
    const { configFile } = this.owner.site;
    const words = ["--disable-warning=ExperimentalWarning", PORTIONS, configFile, SET_NAME, COPIES];
    return this.owner.beginProgram(process.execPath, words);
  }

  /** What the run said counts: it is written down here when it said that it is done. */
  noteRun({ exit, stdout }: RunResult, manifest: Manifest): boolean {
    if (exit !== 0) return false;
    const { head } = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as {
      readonly head: Omit<Acknowledged, "manifest">;
    };
    this.acknowledged.push({ number: head.number, root: head.root, atMs: head.atMs, manifest });
    return true;
  }

  /** A run that nothing disturbs. @throws Error with what it printed when it fails. */
  async backUp(manifest: Manifest): Promise<void> {
    const result = await this.beginBackup(false).done;
    if (!this.noteRun(result, manifest)) {
      throw new Error(`the run that completes the work: ${result.stdout}${result.stderr}`);
    }
  }

  /** Keeps what is as young as the snapshot that many before the newest. */
  beginForget(keep: number): { command: RunningCommand; mayGo: ReadonlySet<string> } {
    const newest = this.acknowledged.at(-1);
    const oldest = this.acknowledged.at(-keep) ?? this.acknowledged[0];
    if (newest === undefined || oldest === undefined) throw new RangeError("nothing is stored");
    const withinMs = newest.atMs - oldest.atMs;
    const mayGo = this.acknowledged.filter(({ atMs }) => newest.atMs - atMs > withinMs);
    const within = `${Math.ceil(withinMs / 1000)}s`;
    const words = ["--yes", "backup", "forget", SET_NAME, "--within", within] as const;
    return { command: this.owner.begin(...words), mayGo: new Set(mayGo.map(({ root }) => root)) };
  }

  beginRestore(number: number, target: string): RunningCommand {
    return this.owner.begin("restore", SET_NAME, "--at", String(number), "--to", target);
  }

  /** Holders are not asked about a set that turns over in minutes. */
  async agreeAlways(): Promise<void> {
    for (const { site } of this.holders) {
      await site.pleach("backup", "agree", this.keys.set, "--always");
    }
  }

  /** Until all sites are linked and alike, and the newest lists have their copies. */
  async settle(): Promise<void> {
    await waitFor("links, copies and equal views", SETTLE_TIMEOUT_MS, async () => {
      const all = await Promise.all(
        this.sites.map(({ client }) => client.get("/v1/status", statusShape)),
      );
      const hasCopies = all[0]?.conditions.copies === true;
      const isMesh = all.every(({ conditions }) => conditions.mesh);
      const views = new Set(all.map(({ viewHash }) => viewHash));
      if (isMesh && hasCopies && views.size === 1) return true;
      throw new Error(JSON.stringify(all.map(({ sites, conditions }) => ({ sites, conditions }))));
    });
  }

  /** Removes what was restored, for good: a later power cut brings nothing of it back. */
  async removeTarget(target: string): Promise<void> {
    await rm(target, { recursive: true, force: true });
    const folder = await open(dirname(target));
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}
