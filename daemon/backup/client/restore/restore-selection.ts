/** Which paths of a snapshot a restore takes: all, or some and what is below them. */
import { BackupError } from "../error.ts";

const SLASH = 0x2f;

/** What is wanted below one directory; what is not named is not wanted. */
interface WantedNames {
  readonly below: Map<string, WantedNames>;
  /** The path of this directory, where all of it is wanted. */
  path: string | undefined;
}

/** Undefined: all of it. */
export type Wanted = WantedNames | undefined;

export class RestoreSelection {
  readonly #root: WantedNames = { below: new Map(), path: undefined };
  readonly #missing = new Set<string>();

  /**
   * @param paths - Absolute, as they were when they were backed up. None: everything.
   * @throws BackupError E-RESTORE-SNAPSHOT for one that no snapshot can have.
   */
  constructor(paths: readonly Uint8Array[]) {
    if (paths.length === 0) this.#root.path = "/";
    for (const path of paths) this.#add(path);
  }

  /** What is wanted of `/`. */
  get root(): Wanted {
    return this.#root.path === undefined ? this.#root : undefined;
  }

  get isWhole(): boolean {
    return this.#root.path !== undefined;
  }

  /** Paths that the walk has not come by. */
  get missing(): readonly string[] {
    return [...this.#missing];
  }

  /**
   * What is wanted of an entry: nothing (false), all of it (undefined), or some names below it,
   * which only a directory can have.
   */
  of(wanted: Wanted, name: Uint8Array, isDirectory: boolean): Wanted | false {
    if (wanted === undefined) return undefined;
    const child = wanted.below.get(nameKey(name));
    if (child === undefined) return false;
    if (child.path === undefined) return isDirectory ? child : false;
    this.#missing.delete(child.path);
    return undefined;
  }

  #add(path: Uint8Array): void {
    const text = Buffer.from(path).toString();
    const names = nameKey(path)
      .split("/")
      .filter((name) => name !== "");
    if (path[0] !== SLASH || path.includes(0) || names.some((name) => DOTS.has(name))) {
      throw new BackupError("E-RESTORE-SNAPSHOT", `"${text}" is no absolute path.`, {
        hint: "Name paths as they were backed up, such as /srv/wiki/data",
        exit: 2,
      });
    }
    let at = this.#root;
    for (const name of names) {
      const next = at.below.get(name) ?? { below: new Map(), path: undefined };
      at.below.set(name, next);
      at = next;
    }
    at.path = text;
    if (names.length > 0) this.#missing.add(text);
  }
}

const DOTS: ReadonlySet<string> = new Set([".", ".."]);

/** A byte is a character, so that any name has a key of its own. */
function nameKey(name: Uint8Array): string {
  return Buffer.from(name).toString("latin1");
}
