/**
 * The directory of the daemon: who may use it, and the key that the site is known by.
 */
import { access, constants, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { PleachError } from "../protocol/error.ts";
import { signingKey, type SigningKey } from "../protocol/keys/signature.ts";
import { createSecretFile, readSecretFile } from "./config/secret-file.ts";

export class DataDirectoryError extends PleachError<"E-DATA-DIR"> {}

const SEED_BYTES = 32;

/**
 * Makes the directory (0700) if its parent is there, and sees that it is ours alone.
 *
 * @throws DataDirectoryError when it cannot be made or used, or others may write to it.
 */
export async function openDataDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw unusable(path, cause);
  }
  const { mode } = await stat(path);
  if ((mode & 0o022) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, "0");
    const message = `Others may write to the data directory ${path} (mode ${octal}).`;
    throw new DataDirectoryError("E-DATA-DIR", message, { hint: `Run:  chmod 700 ${path}` });
  }
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw unusable(path, cause);
  });
}

/**
 * The site key, made at the first start.
 *
 * @param random - Unpredictable bytes.
 * @throws SecretFileError when others can read it or it is damaged. It is never made anew then:
 *   another key is another site.
 */
export async function openSiteKey(
  directory: string,
  random: (sizeBytes: number) => Uint8Array,
): Promise<SigningKey> {
  const path = join(directory, "site.key");
  const there = await readSecretFile(path, SEED_BYTES);
  if (there !== undefined) return signingKey(there);
  const seed = random(SEED_BYTES);
  await createSecretFile(path, seed);
  return signingKey(seed);
}

function unusable(path: string, cause: unknown): DataDirectoryError {
  const message = `The data directory ${path} cannot be used (${(cause as Error).message}).`;
  const hint = "It must be a directory of the user that runs the daemon.";
  return new DataDirectoryError("E-DATA-DIR", message, { hint, cause });
}
