/**
 * The files and secrets that people hand to commands: passphrases, operator keys, phrases, sheets.
 *
 * Secrets come from a file or a terminal, never from an argument or the environment. A file that
 * is there is never written over.
 */
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import {
  MIN_PASSPHRASE_CHARACTERS,
  openOperatorKey,
  parseOperatorPublic,
  printOperatorPublic,
  sealOperatorKey,
  type OperatorPublic,
  type OperatorSecret,
} from "../../../protocol/keys/operator-key.ts";
import { parsePhrase } from "../../../protocol/keys/recovery-phrase.ts";
import { rootFromFile } from "../../../protocol/keys/recovery-sheet.ts";
import { createSecretFile, SecretFileError } from "../../config/secret-file.ts";
import { ControlError } from "../../control/client.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import { ask, askSecret } from "../shell/terminal.ts";

/** All of these are small; a longer one is a wrong file. */
const MAX_FILE_BYTES = 64 * 1024;

/** @throws CommandError E-FILE when it cannot be read or is far too long. */
export function readSmallFile(path: string): Promise<string> {
  return readBounded(path, MAX_FILE_BYTES);
}

/**
 * The text of a file, which may be a pipe: no more of it is read than may be.
 *
 * @throws CommandError E-FILE when it cannot be read or is longer.
 */
export async function readBounded(path: string, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const part of createReadStream(path, { end: maxBytes })) {
      const bytes = part as Uint8Array;
      parts.push(bytes);
      sizeBytes += bytes.length;
    }
  } catch (cause) {
    throw new CommandError("E-FILE", `${path} cannot be read (${reasonOf(cause)}).`, { cause });
  }
  if (sizeBytes > maxBytes) {
    throw new CommandError("E-FILE", `${path} is longer than ${maxBytes} bytes: another file.`);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The name of the system's error, without the path that stands there already. */
function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code ?? message;
}

/** The passphrase of a key that is there: the first line of the file, or typed. */
export async function readPassphrase(file: string | undefined): Promise<string> {
  if (file !== undefined) return firstLine(await readSmallFile(file));
  return askSecret("Passphrase of the operator key: ", "--passphrase-file FILE");
}

/** A new passphrase: from the file, or typed twice. */
export async function choosePassphrase(file: string | undefined): Promise<string> {
  if (file !== undefined) return firstLine(await readSmallFile(file));
  const question = `New passphrase, ${MIN_PASSPHRASE_CHARACTERS} characters or more: `;
  const first = await askSecret(question, "--passphrase-file FILE");
  const second = await askSecret("The same again: ", "--passphrase-file FILE");
  if (first !== second) throw new UsageError("The two passphrases are not the same.");
  return first;
}

/** @throws OperatorKeyError, CommandError, UsageError. */
export async function openOperatorFile(
  path: string,
  passphraseFile: string | undefined,
): Promise<OperatorSecret> {
  const file = await readSmallFile(path);
  return openOperatorKey(file, await readPassphrase(passphraseFile));
}

export async function readOperatorPublic(path: string): Promise<OperatorPublic> {
  return parseOperatorPublic(await readSmallFile(path));
}

/** Makes FILE and FILE.pub. @returns the key, to sign with at once. */
export async function createOperatorFiles(
  path: string,
  name: string,
  passphrase: string,
  made: MadeFiles,
): Promise<OperatorSecret> {
  const { file, operator } = sealOperatorKey(name, passphrase, {
    seed: randomBytes(32),
    salt: randomBytes(16),
    nonce: randomBytes(24),
  });
  await made.create(path, file);
  await made.create(`${path}.pub`, printOperatorPublic(operator));
  return openOperatorKey(file, passphrase);
}

/** The 32 bytes of a phrase: from a file with the words or the sheet, or typed. */
export async function readPhrase(file: string | undefined): Promise<Uint8Array> {
  if (file !== undefined) return rootFromFile(await readSmallFile(file));
  return parsePhrase(await ask("The 24 words of the owner: ", "--phrase-file FILE"));
}

/** Files that an act has made so far, to be taken back when it fails. */
export class MadeFiles {
  readonly #paths: string[] = [];

  /** Durable when it resolves; readable by its owner only. */
  async create(path: string, text: string): Promise<void> {
    const whole = resolve(path);
    await createSecretFile(whole, Buffer.from(text)).catch((error: unknown) => {
      if (!(error instanceof SecretFileError)) throw error;
      const reason = reasonOf(error.cause);
      const message =
        reason === "EEXIST"
          ? `${path} is there already, and nothing is written over it.`
          : `${path} cannot be written (${reason}).`;
      throw new SecretFileError(error.code, message, { cause: error });
    });
    this.#paths.push(whole);
  }

  async takeBack(): Promise<void> {
    for (const path of this.#paths.splice(0)) await rm(path, { force: true });
  }
}

/**
 * Does the act, and takes back the files that were made for it when it fails.
 *
 * They stay when the daemon did not answer: it may have done what was asked, and then the phrase
 * or the key in them is the only one.
 */
export async function takingBack<Result>(
  made: MadeFiles,
  act: () => Promise<Result>,
): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof ControlError)) await made.takeBack();
    throw error;
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? "";
}
