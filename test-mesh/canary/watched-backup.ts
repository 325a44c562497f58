/**
 * One backup and one restore of a tree full of canaries between four real daemons, with a copy
 * kept of everything that could give it away.
 */
import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Level } from "level";
import { formMesh, phraseFile } from "../form.ts";
import type { TestMesh } from "../harness.ts";
import type { Json, SiteOptions, TestSite } from "../test-site.ts";
import { keyCanaries } from "./keys.ts";
import type { Canary } from "./search.ts";
import { SOCKET_DIRECTIONS, tapSocket } from "./socket-tap.ts";
import { makeCanaryTree, randomText, type CanaryTree } from "./tree.ts";

export interface WatchedBackupOptions {
  /** Of all sites. */
  readonly site: SiteOptions;
  /** Preloads of all commands and daemons, beside the tap. */
  readonly preloads: readonly URL[];
}

/** Folders with what others could see. */
export interface Sightable {
  /** Each holder's whole directory, and what its store holds. */
  readonly holders: readonly (readonly string[])[];
  /** What each daemon's stream wrapper handed to libp2p. */
  readonly meshTap: string;
  /** What commands asked on the control socket, and what they were answered. */
  readonly socketTap: readonly string[];
  /** All that the owner's daemon has. */
  readonly ownerDaemon: readonly string[];
}

export class WatchedBackup {
  readonly owner: TestSite;
  readonly tree: CanaryTree;
  readonly sourceFolder: string;
  readonly setName = randomText(20).toString().toLowerCase();
  readonly #mesh: TestMesh;
  readonly #holders: readonly TestSite[];
  readonly #at: (name: string) => string;

  private constructor(mesh: TestMesh, sites: readonly [TestSite, ...TestSite[]]) {
    this.#mesh = mesh;
    [this.owner, ...this.#holders] = sites;
    this.#at = (name) => join(mesh.directory, name);
    this.sourceFolder = this.#at(randomText(24).toString());
    mkdirSync(this.sourceFolder, { mode: 0o700 });
    this.tree = makeCanaryTree(this.sourceFolder);
  }

  /** Forms the mesh, makes the tree, and says to the commands what is to be backed up. */
  static async prepare(mesh: TestMesh, options: WatchedBackupOptions): Promise<WatchedBackup> {
    const tapFolder = join(mesh.directory, "mesh-tap");
    mkdirSync(tapFolder);
    const { user } = options.site;
    if (user !== undefined) chownSync(tapFolder, user, user);
    // Where the user of the daemons can read it, whoever can read this file.
    const tap = join(mesh.directory, "tap.mts");
    copyFileSync(new URL("./tap.ts", import.meta.url), tap);
    chmodSync(tap, 0o644);
    const preloads = [pathToFileURL(tap), ...options.preloads];
    const site = (name: string): Promise<TestSite> =>
      mesh.site(name, {
        ...options.site,
        env: {
          NODE_OPTIONS: preloads.map(({ href }) => `--import=${href}`).join(" "),
          PLEACH_TAP: join(tapFolder, name),
        },
      });
    const owner = await site("quimper");
    const holders = [await site("brest"), await site("lorient"), await site("vannes")];
    await Promise.all([owner, ...holders].map((each) => each.start()));
    await formMesh([owner, ...holders], mesh.directory);
    const watched = new WatchedBackup(mesh, [owner, ...holders]);
    await owner.pleach("backup", "add", watched.setName, "--path", watched.sourceFolder);
    return watched;
  }

  /**
   * `backup run`, until three sites have signed; then `backup list`, `restore`.
   *
   * @returns What `restore` said.
   */
  async play(): Promise<Json> {
    const { owner, setName } = this;
    // A configuration of its own, beside the daemon's, so that conf.d belongs to both.
    const socket = this.#at("socket");
    const config = join(owner.directory, "tapped.toml");
    const text = await readFile(owner.configFile, "utf8");
    writeFileSync(config, text.replace(/^socket = .*$/m, `socket = ${JSON.stringify(socket)}`));
    const tap = await tapSocket(socket, owner.client.socketPath, this.#at("socket-tap"));
    const pleach = (...args: readonly string[]): Promise<Json> =>
      owner.pleach("--config", config, ...args);
    try {
      await pleach("backup", "run", setName);
      await owner.pleach("wait", "--for", "copies", "--timeout", "60s");
      await pleach("backup", "list");
      return await pleach("restore", setName, "--to", this.#at("restored"));
    } finally {
      tap.close();
    }
  }

  get setNameCanary(): Canary {
    return { name: "name of the set", bytes: Buffer.from(this.setName) };
  }

  /** Keys of the data set and its owner. Call it after {@link play}. */
  async keys(): Promise<readonly Canary[]> {
    const folder = join(this.owner.dataDirectory, "shards", "shards");
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const shards = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => readFile(join(parentPath, name)));
    return keyCanaries({
      keysFolder: this.owner.keysDirectory,
      name: this.setName,
      sheetFile: phraseFile(this.#mesh.directory, this.owner.name),
      shards: await Promise.all(shards),
    });
  }

  /** Stops all daemons and tells where to look. */
  async end(): Promise<Sightable> {
    const { owner } = this;
    await Promise.all(this.#mesh.sites.map((site) => site.stop()));
    await Promise.all(this.#mesh.sites.map((site) => this.#dumpStore(site)));
    return {
      holders: this.#holders.map((site) => [site.directory, this.#storeFolder(site)]),
      meshTap: this.#at("mesh-tap"),
      socketTap: SOCKET_DIRECTIONS.map((direction) => join(this.#at("socket-tap"), direction)),
      ownerDaemon: [owner.dataDirectory, owner.logFile, this.#storeFolder(owner)],
    };
  }

  /** LevelDB compresses its blocks, which could hide something from a search of its files. */
  async #dumpStore(site: TestSite): Promise<void> {
    mkdirSync(this.#storeFolder(site));
    const database = new Level<string, Uint8Array>(join(site.dataDirectory, "state", "db"), {
      keyEncoding: "utf8",
      valueEncoding: "view",
    });
    const lines: Uint8Array[] = [];
    for await (const [key, value] of database.iterator())
      lines.push(Buffer.from(`${key}\n`), value);
    await database.close();
    writeFileSync(join(this.#storeFolder(site), "entries"), Buffer.concat(lines));
  }

  #storeFolder(site: TestSite): string {
    return this.#at(`${site.name}-store`);
  }
}
