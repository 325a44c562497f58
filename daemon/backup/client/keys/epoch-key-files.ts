/**
 * The keys of the key epochs of a data set, a file each: `KEYS/epochs/SET/N.key`, of root and for
 * root alone. A file of its own can be overwritten and taken away without touching another key.
 *
 * An epoch whose key was erased leaves `N.capsule`, which only the phrase opens. The capsule is
 * written first: once it is there the key counts as erased, whatever is left of its file, and the
 * next erasure ends what a crash cut off. Unfinished files never had a key that is in use.
 */
import { createHash, randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { sealCapsule } from "../../../../protocol/backup/capsule.ts";
import { fromHex, idBytes, toHex, type OwnerId, type SetId } from "../../../../protocol/ids.ts";
import { BackupError } from "../error.ts";
import {
  cannotRead,
  eraseFile,
  isMissing,
  readSecret,
  syncFolder,
  writeSecret,
} from "./secret-file.ts";

const DOMAIN = "pleach/epoch-key/1";
const KEY = /^([1-9]\d{0,9})\.key$/;
const CAPSULE = /^([1-9]\d{0,9})\.capsule$/;
const LOST = "The phrase still opens what it sealed:  pleach keys open SET --at WHEN --out FILE";

const keyShape = z.object({
  v: z.literal(1),
  epoch: z.int().min(1),
  key: z.string().regex(/^[0-9a-f]{64}$/, "is not a key"),
  capsule: z.base64(),
  sinceMs: z.int().min(0),
  check: z.string(),
});

const capsuleShape = z.object({
  v: z.literal(1),
  epoch: z.int().min(1),
  capsule: z.base64(),
});

export interface EpochKey {
  readonly epoch: number;
  /** K_epoch, 32 bytes. */
  readonly key: Uint8Array;
  readonly capsule: Uint8Array;
  /** When the epoch began, milliseconds since 1970 by the clock of this machine. */
  readonly sinceMs: number;
}

export type ErasedEpoch = Pick<EpochKey, "epoch" | "capsule">;

export interface EpochKeys {
  /** Those whose keys are here, the newest last. */
  readonly here: readonly EpochKey[];
  readonly erased: readonly ErasedEpoch[];
}

/** @throws BackupError E-BACKUP-KEYS when a file is malformed, damaged or open to others. */
export function readEpochKeys(keysFolder: string, set: SetId): EpochKeys {
  const folder = folderOf(keysFolder, set);
  const names = namesIn(folder);
  const erased = numbersIn(names, CAPSULE).map((epoch): ErasedEpoch => {
    const { capsule } = parse(join(folder, `${epoch}.capsule`), capsuleShape);
    return { epoch, capsule: Buffer.from(capsule, "base64") };
  });
  const gone = new Set(erased.map(({ epoch }) => epoch));
  const here = numbersIn(names, KEY)
    .filter((epoch) => !gone.has(epoch))
    .map((epoch) => readKey(folder, set, epoch));
  return { here, erased };
}

/**
 * Makes the key of a new epoch; durable when this returns.
 *
 * @param epoch - Never used before for this data set.
 */
export function createEpochKey(
  keysFolder: string,
  subject: { readonly owner: OwnerId; readonly set: SetId; readonly epoch: number },
  { setKey, box }: { readonly setKey: Uint8Array; readonly box: Uint8Array },
  nowMs: number,
): EpochKey {
  const { owner, set, epoch } = subject;
  const key = Uint8Array.from(randomBytes(32));
  const keys = { setKey, epochKey: key };
  const capsule = sealCapsule(box, { owner, set, keyEpoch: epoch }, keys, randomBytes(56));
  const sinceMs = Math.max(0, Math.floor(nowMs));
  const made: EpochKey = { epoch, key, capsule, sinceMs };
  const folder = folderOf(keysFolder, set);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const text = JSON.stringify({
    v: 1,
    epoch,
    key: toHex(key),
    capsule: toBase64(capsule),
    sinceMs,
    check: checkOf(set, made),
  } satisfies z.input<typeof keyShape>);
  writeSecret(join(folder, `${epoch}.key`), `${text}\n`);
  // The names above have to survive a power cut, too: shards sealed with lost keys are lost.
  for (const above of [join(keysFolder, "epochs"), keysFolder]) syncFolder(above);
  return made;
}

/** Where the key of an epoch is. */
export function epochKeyFile(keysFolder: string, set: SetId, { epoch }: EpochKey): string {
  return join(folderOf(keysFolder, set), `${epoch}.key`);
}

/** Erases the key of an epoch; its capsule stays. Durable when this returns. */
export function eraseEpochKey(keysFolder: string, set: SetId, { epoch, capsule }: EpochKey): void {
  const folder = folderOf(keysFolder, set);
  const kept = { v: 1, epoch, capsule: toBase64(capsule) } satisfies z.input<typeof capsuleShape>;
  writeSecret(join(folder, `${epoch}.capsule`), `${JSON.stringify(kept)}\n`);
  eraseFile(join(folder, `${epoch}.key`));
}

/**
 * Ends erasures that a crash cut off, and erases what was never finished. Only while nobody else
 * makes or erases keys of this set.
 *
 * @returns Epochs whose erasure was ended.
 */
export function endErasures(keysFolder: string, set: SetId): readonly number[] {
  const folder = folderOf(keysFolder, set);
  const names = namesIn(folder);
  for (const name of names.filter((each) => each.endsWith(".tmp"))) {
    const unfinished = join(folder, name);
    // A second name of a key that counts: only the name goes.
    if (lstatSync(unfinished).nlink > 1) unlinkSync(unfinished);
    else eraseFile(unfinished);
  }
  const gone = new Set(numbersIn(names, CAPSULE));
  const left = numbersIn(names, KEY).filter((epoch) => gone.has(epoch));
  for (const epoch of left) eraseFile(join(folder, `${epoch}.key`));
  return left;
}

function readKey(folder: string, set: SetId, epoch: number): EpochKey {
  const file = join(folder, `${epoch}.key`);
  const { check, ...value } = parse(file, keyShape);
  const made = {
    epoch: value.epoch,
    key: fromHex(value.key),
    capsule: Uint8Array.from(Buffer.from(value.capsule, "base64")),
    sinceMs: value.sinceMs,
  };
  if (value.epoch === epoch && check === checkOf(set, made)) return made;
  throw new BackupError("E-BACKUP-KEYS", `${file} is damaged.`, {
    hint: `Put it out of the way; the next run begins a new key epoch. ${LOST}`,
  });
}

/** Tells a damaged key: a shard that is sealed with one could be opened by nobody. */
function checkOf(set: SetId, { epoch, key, capsule, sinceMs }: EpochKey): string {
  return createHash("sha256")
    .update(`${DOMAIN}\0${epoch}\0${sinceMs}\0`)
    .update(idBytes(set))
    .update(key)
    .update(capsule)
    .digest("hex");
}

function parse<T>(file: string, shape: z.ZodType<T>): T {
  const text = readSecret(file, LOST);
  try {
    return shape.parse(JSON.parse(text));
  } catch (cause) {
    throw new BackupError("E-BACKUP-KEYS", `${file} is not a key file of this version.`, {
      hint: `Put it out of the way; the next run begins a new key epoch. ${LOST}`,
      cause,
    });
  }
}

function folderOf(keysFolder: string, set: SetId): string {
  return join(keysFolder, "epochs", set);
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw cannotRead(folder, error);
  }
}

/** Ascending. */
function numbersIn(names: readonly string[], pattern: RegExp): readonly number[] {
  return names
    .flatMap((name) => {
      const [, number] = pattern.exec(name) ?? [];
      return number === undefined ? [] : [Number(number)];
    })
    .toSorted((a, b) => a - b);
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
