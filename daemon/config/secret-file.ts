/**
 * Files with a secret in them: only their owner may read them, and they are never half written.
 */
import { constants } from "node:fs";
import { link, open, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { PleachError } from "../../protocol/error.ts";

export class SecretFileError extends PleachError<
  | "E-KEY-OPEN" // others can read it
  | "E-KEY-FORM" // it does not hold what it should
  | "E-KEY-FILE" // it cannot be read or written
> {}

/**
 * The bytes of a secret file, or undefined when there is none.
 *
 * @param sizeBytes - The exact size.
 * @throws SecretFileError when others may read it, or it has another size.
 */
export async function readSecretFile(
  path: string,
  sizeBytes: number,
): Promise<Uint8Array | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const message = `The key file ${path} cannot be read (${(cause as Error).message}).`;
    throw new SecretFileError("E-KEY-FILE", message, { cause });
  }
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, "0");
      const message = `The key file ${path} can be read by others (mode ${octal}).`;
      const hint = `If nobody has read it:  chmod 600 ${path}`;
      throw new SecretFileError("E-KEY-OPEN", message, { hint });
    }
    if (size !== sizeBytes) {
      const message = `The key file ${path} has ${size} bytes and should have ${sizeBytes}.`;
      throw new SecretFileError("E-KEY-FORM", message, { hint: "Put the right file back." });
    }
    return Uint8Array.from(await file.readFile());
  } finally {
    await file.close();
  }
}

/**
 * Makes a secret file, durable before this resolves. A file that is there is never replaced.
 *
 * @throws SecretFileError when a file is there, or it cannot be written.
 */
export async function createSecretFile(path: string, bytes: Uint8Array): Promise<void> {
  const unfinished = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(unfinished, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(unfinished, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    const message = `The key file ${path} cannot be written (${(cause as Error).message}).`;
    throw new SecretFileError("E-KEY-FILE", message, { cause });
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
