/** Operators of a test mesh: their keys, and what they sign with. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { phraseFile } from "./form.ts";
import type { TestMesh } from "./harness.ts";
import type { Json, TestSite } from "./test-site.ts";

const PASSPHRASE = "correct horse battery staple";

export class DecisionParty {
  readonly #mesh: TestMesh;

  constructor(mesh: TestMesh) {
    this.#mesh = mesh;
  }

  keyFile(name: string): string {
    return join(this.#mesh.directory, `${name}.key`);
  }

  /** Options that sign as an operator, without questions. */
  as(name: string): readonly string[] {
    return ["--operator-key", this.keyFile(name), "--passphrase-file", this.#passphrase, "--yes"];
  }

  get #passphrase(): string {
    return join(this.#mesh.directory, "passphrase");
  }

  /** Founds the mesh at a started site. The first of the operators founds it; most decide. */
  async found(site: TestSite, names: readonly [string, ...string[]]): Promise<void> {
    const [founder, ...others] = names;
    await writeFile(this.#passphrase, `${PASSPHRASE}\n`, { mode: 0o600 });
    for (const name of others) await this.makeKey(site, name);
    const more = others.map((name) => `${this.keyFile(name)}.pub`);
    await site.pleach(
      ...["init", "--mesh", "test", "--site", site.name, "--operator-name", founder],
      ...["--operator-out", this.keyFile(founder), "--passphrase-file", this.#passphrase],
      ...["--phrase-out", phraseFile(this.#mesh.directory, site.name), "--yes"],
      ...(more.length === 0 ? [] : ["--operator", ...more]),
    );
  }

  async makeKey(site: TestSite, name: string): Promise<void> {
    const words = ["operators", "new", "--name", name, "--out", this.keyFile(name)];
    await site.pleach(...words, "--passphrase-file", this.#passphrase);
  }

  /** What a command printed that ended with this code. @throws Error with another one. */
  async ends(site: TestSite, exit: number, ...args: readonly string[]): Promise<Json> {
    const result = await site.run(["--json", ...args]);
    if (result.exit !== exit) {
      const told = `${result.stdout}${result.stderr}`;
      throw new Error(`pleach ${args.join(" ")}: exit ${result.exit}, not ${exit}\n${told}`);
    }
    return JSON.parse(result.stdout.trimEnd().split("\n").at(-1) ?? "") as Json;
  }
}
