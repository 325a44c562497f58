/**
 * Real daemons on loopback for tests: own processes, directories and addresses.
 *
 * Each mesh takes a random part of 127.0.0.0/8 and each site an address in it, so ports never
 * collide, whatever runs beside. Usage:
 *
 *     await withMesh(async (mesh) => {
 *       const [quimper, brest] = await mesh.form(["quimper", "brest"]);
 *       await quimper.pleach("service", "add", "wiki", "--address", "192.0.2.1");
 *     });
 *
 * At its end every process is killed and every directory removed; with KEEP_MESH=1 the
 * directories stay and are named. The logs of all daemons are part of the error of a failure.
 */
import { randomInt } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formMesh, joinMesh } from "./form.ts";
import { TestSite, type SiteOptions } from "./test-site.ts";

/** Gives a test a mesh without sites, and takes everything away when it is over. */
export async function withMesh(act: (mesh: TestMesh) => Promise<void>): Promise<void> {
  const mesh = await TestMesh.create();
  try {
    await act(mesh);
  } catch (cause) {
    throw new Error(`${(cause as Error).message}\n${await mesh.logs()}`, { cause });
  } finally {
    await mesh.close();
  }
}

export class TestMesh {
  /** Everything of this mesh lies below. */
  readonly directory: string;
  readonly sites: TestSite[] = [];
  readonly #network: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.#network = `127.${randomInt(1, 255)}.${randomInt(0, 256)}`;
  }

  static async create(): Promise<TestMesh> {
    // Short, because the path of a Unix socket has to fit into 107 bytes.
    return new TestMesh(await mkdtemp(join(tmpdir(), "pl-")));
  }

  /** A site with its configuration; it is not started. */
  async site(name: string, options: SiteOptions = {}): Promise<TestSite> {
    const directory = join(this.directory, name);
    await mkdir(directory, { mode: 0o750 });
    await options.onFolder?.(directory);
    const address = `${this.#network}.${this.sites.length + 1}`;
    const site = await TestSite.create({ name, directory, address, options });
    this.sites.push(site);
    return site;
  }

  /** Starts sites and joins them: the first founds the mesh and approves the others. */
  async form(names: readonly string[], options: SiteOptions = {}): Promise<TestSite[]> {
    const sites: TestSite[] = [];
    for (const name of names) sites.push(await this.site(name, options));
    await Promise.all(sites.map((site) => site.start()));
    await formMesh(sites, this.directory);
    return sites;
  }

  /** Makes a started site the first of the mesh. */
  async found(site: TestSite): Promise<void> {
    await formMesh([site], this.directory);
  }

  /** Joins a started site, approved at a member. */
  async join(member: TestSite, site: TestSite): Promise<void> {
    await joinMesh(member, site, this.directory);
  }

  async close(): Promise<void> {
    await Promise.all(this.sites.map((site) => site.kill()));
    if (process.env["KEEP_MESH"]) console.error(`kept: ${this.directory}`);
    else await rm(this.directory, { recursive: true, force: true });
  }

  /** The logs of all daemons, for the message of a failure. */
  async logs(): Promise<string> {
    const parts = this.sites.map(async ({ name, logFile }) => {
      const text = await readFile(logFile, "utf8").catch(() => "(none)");
      return `--- ${name}\n${text.slice(-4000)}`;
    });
    return (await Promise.all(parts)).join("\n");
  }
}
