/**
 * What an operator's key has signed lately, kept beside its file.
 *
 * A site that was cut off, or a proposal file of last week, does not know it. Whoever signs there
 * would sign two statements for one place of the chain, or two epochs of one number. So what the key
 * signed goes with the key: it is durable here before anybody gets it, counts in what the next
 * command shows, and is handed over with what that one signs. One file for each place of a chain, so
 * two commands at once cannot take the same one. Statements are no secret.
 */
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { MeshId } from "../../../protocol/ids.ts";
import {
  decodeStatement,
  encodeStatement,
  isChained,
  StatementError,
  type SignedStatement,
} from "../../../protocol/statements/statement.ts";
import { CommandError } from "../shell/exit.ts";

/** Older ones have long been at every site. */
const KEPT = 64;
const MAX_STATEMENT_FILE_BYTES = 128 * 1024;
const SHORT = 8;

export class SignedBefore {
  readonly #directory: string;

  constructor(keyFile: string) {
    this.#directory = `${keyFile}.signed`;
  }

  /** In the order of their places. What cannot be read is passed over: it only helps. */
  async read(mesh: MeshId): Promise<readonly SignedStatement[]> {
    const names = (await this.#names()).filter((name) =>
      name.includes(`-${mesh.slice(0, SHORT)}-`),
    );
    const read: SignedStatement[] = [];
    for (const name of names.slice(-2 * KEPT)) {
      const statement = await readStatement(join(this.#directory, name));
      if (statement !== undefined && isOf(mesh, statement)) read.push(statement);
    }
    return read;
  }

  /**
   * @returns Whether they are durable: beside a key on a medium that cannot be written they are not.
   * @throws CommandError E-DECISION when another command has taken the place meanwhile.
   */
  async keep(statements: readonly SignedStatement[], again: boolean): Promise<boolean> {
    try {
      await mkdir(this.#directory, { mode: 0o700, recursive: true });
      for (const statement of statements) await this.#write(statement, again);
      await syncDirectory(this.#directory);
      await this.#dropOld();
      return true;
    } catch (error) {
      if (error instanceof CommandError) throw error;
      return false;
    }
  }

  /** For those that nobody has got. */
  async forget(statements: readonly SignedStatement[]): Promise<void> {
    for (const each of statements) {
      for (const name of [nameOf(each, false), nameOf(each, true)]) {
        const path = join(this.#directory, name);
        if ((await readStatement(path))?.id === each.id) await rm(path, { force: true });
      }
    }
  }

  async #write(statement: SignedStatement, again: boolean): Promise<void> {
    const path = join(this.#directory, nameOf(statement, again));
    const file = await open(path, "wx", 0o600).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "EEXIST") throw cause;
      throw new CommandError("E-DECISION", "Another command signs with this key just now.", {
        hint: "Look what it did:  pleach operators   Then call this one again.",
        cause,
      });
    });
    try {
      await file.writeFile(encodeStatement(statement));
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #dropOld(): Promise<void> {
    const chains = Map.groupBy(await this.#names(), (name) => name.slice(0, 2 * SHORT + 2));
    for (const names of chains.values()) {
      for (const name of names.slice(0, -KEPT)) await rm(join(this.#directory, name));
    }
  }

  async #names(): Promise<readonly string[]> {
    const names = await readdir(this.#directory).catch(() => []);
    return names.filter((name) => /^[0-9a-f]{8}-[0-9a-f]{8}-\d{7}/.test(name)).toSorted();
  }
}

function isOf(mesh: MeshId, { body }: SignedStatement): boolean {
  return isChained(body) && body.mesh === mesh;
}

/** KEY-MESH-PLACE; a second one for a place, which its signer wanted, has its id as well. */
function nameOf({ id, body }: SignedStatement, again: boolean): string {
  if (!isChained(body)) throw new RangeError("a statement without a place");
  const place = String(body.seq).padStart(7, "0");
  const name = `${body.by.slice(0, SHORT)}-${body.mesh.slice(0, SHORT)}-${place}`;
  return again ? `${name}-${id.slice(0, SHORT)}` : name;
}

async function readStatement(path: string): Promise<SignedStatement | undefined> {
  try {
    const bytes = await readFile(path);
    return bytes.length > MAX_STATEMENT_FILE_BYTES ? undefined : decodeStatement(bytes);
  } catch (error) {
    if (error instanceof StatementError || (error as NodeJS.ErrnoException).code !== undefined) {
      return undefined;
    }
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
