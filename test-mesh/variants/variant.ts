/**
 * Another version of this program: a copy of its source with some places changed.
 *
 * For tests of what only shows with two versions, or with a fault: the program itself has no
 * switches for that.
 */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = new URL("../..", import.meta.url).pathname;
const COPIED = ["daemon", "protocol", "test-mesh/fakes", "test-mesh/simulation", "package.json"];

export interface Change {
  readonly file: string;
  /** Has to stand there once. */
  readonly from: string;
  readonly to: string;
}

export interface Variant {
  readonly directory: string;
  /** Loads a file of it, such as `daemon/state/state.ts`. */
  readonly load: <Module>(file: string) => Promise<Module>;
  readonly remove: () => Promise<void>;
}

/** @throws Error when a change does not fit the source any more. */
export async function buildVariant(name: string, changes: readonly Change[]): Promise<Variant> {
  const directory = await mkdtemp(join(tmpdir(), `pl-${name}-`));
  for (const path of COPIED) {
    await cp(join(ROOT, path), join(directory, path), { recursive: true });
  }
  await symlink(join(ROOT, "node_modules"), join(directory, "node_modules"));
  for (const { file, from, to } of changes) {
    const path = join(directory, file);
    const text = await readFile(path, "utf8");
    if (text.split(from).length !== 2) throw new Error(`${name}: not once in ${file}: ${from}`);
    await writeFile(
      path,
      text.replace(from, () => to),
    );
  }
  return {
    directory,
    load: async <Module>(file: string) => (await import(join(directory, file))) as Module,
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
