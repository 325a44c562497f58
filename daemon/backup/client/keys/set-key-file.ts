/**
 * The keys of data sets, in files of root that the daemon cannot open.
 *
 * `KEYS/owner.json` pins the owner and its box key B; it has nothing secret. `KEYS/sets/NAME.json`
 * has K_set of one data set; the keys of its epochs stand in files of their own
 * (epoch-key-files.ts). Files are made 0600 and never over another, and refused when others can
 * read them.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import {
  fromHex,
  idOf,
  parseId,
  toHex,
  type AnyId,
  type MeshId,
  type OwnerId,
  type SetId,
} from "../../../../protocol/ids.ts";
import { sealSetName } from "../../../../protocol/backup/set-keys.ts";
import { CIPHER_NONCE_BYTES } from "../../../../protocol/keys/xchacha.ts";
import {
  createEpochKey,
  epochKeyFile,
  readEpochKeys,
  type EpochKey,
  type ErasedEpoch,
} from "./epoch-key-files.ts";
import { BackupError } from "../error.ts";
import {
  cannotRead,
  eraseFile,
  isMissing,
  readSecret,
  syncFolder,
  writeSecret,
} from "./secret-file.ts";

const hexKey = z.string().regex(/^[0-9a-f]{64}$/, "is not a key");

const ownerShape = z.object({ meshId: hexKey, ownerId: hexKey, box: hexKey });

const setShape = z.object({
  v: z.literal(1),
  name: z.string(),
  set: z.string().regex(/^[0-9a-f]{32}$/),
  owner: hexKey,
  setKey: hexKey,
  sealedName: z.base64(),
});

/** Whom backups of this machine are sealed to. */
export interface OwnerPin {
  readonly meshId: MeshId;
  readonly ownerId: OwnerId;
  /** B, 32 bytes. */
  readonly box: Uint8Array;
}

export interface SetKeyFile {
  readonly name: string;
  readonly set: SetId;
  readonly owner: OwnerId;
  /** K_set, 32 bytes. */
  readonly setKey: Uint8Array;
  readonly sealedName: Uint8Array;
  /** Those whose keys are here, the newest last. */
  readonly epochs: readonly EpochKey[];
  /** Those whose keys were erased: only the phrase opens what they sealed. */
  readonly erased: readonly ErasedEpoch[];
}

/** @throws BackupError E-BACKUP-KEYS when the site has no owner yet or the file is malformed. */
export function readOwnerPin(keysFolder: string): OwnerPin {
  const file = join(keysFolder, "owner.json");
  const pin = parse(
    file,
    readSecret(file, "Make or join a mesh first: pleach init, pleach join."),
    ownerShape,
  );
  return {
    meshId: idIn<MeshId>(pin.meshId),
    ownerId: idIn<OwnerId>(pin.ownerId),
    box: fromHex(pin.box),
  };
}

/** Whether a data set of that name has keys here. */
export function hasSetKeys(keysFolder: string, name: string): boolean {
  try {
    readFileSync(setFile(keysFolder, name));
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw cannotRead(setFile(keysFolder, name), error);
  }
}

/** @throws BackupError when there is no such set, or its file is malformed or open to others. */
export function readSetKeys(keysFolder: string, name: string): SetKeyFile {
  const file = setFile(keysFolder, name);
  const value = parse(
    file,
    readSecret(file, `Create it:  pleach backup add ${name} --path DIR`),
    setShape,
  );
  const set = idIn<SetId>(value.set, 16);
  const { here, erased } = readEpochKeys(keysFolder, set);
  return {
    name: value.name,
    set,
    owner: idIn<OwnerId>(value.owner),
    setKey: fromHex(value.setKey),
    sealedName: Buffer.from(value.sealedName, "base64"),
    epochs: here,
    erased,
  };
}

/**
 * Makes the keys of a new data set.
 *
 * @throws BackupError E-BACKUP-EXISTS when the name is taken: keys are never replaced.
 */
export function createSetKeys(
  keysFolder: string,
  name: string,
  pin: OwnerPin,
  nowMs: number,
): SetKeyFile {
  const set = idOf<SetId>(randomBytes(16));
  const setKey = Uint8Array.from(randomBytes(32));
  const owner = pin.ownerId;
  const sealedName = sealSetName(setKey, name, randomBytes(CIPHER_NONCE_BYTES));
  const text = JSON.stringify(
    {
      v: 1,
      name,
      set,
      owner,
      setKey: toHex(setKey),
      sealedName: Buffer.from(sealedName).toString("base64"),
    } satisfies z.input<typeof setShape>,
    undefined,
    2,
  );
  const file = setFile(keysFolder, name);
  if (hasSetKeys(keysFolder, name)) throw hasKeys(file);
  const keys = { setKey, box: pin.box };
  const epoch = createEpochKey(keysFolder, { owner, set, epoch: 1 }, keys, nowMs);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeSecret(file, `${text}\n`);
  } catch (error) {
    eraseFile(epochKeyFile(keysFolder, set, epoch));
    throw error instanceof BackupError && error.code === "E-BACKUP-EXISTS" ? hasKeys(file) : error;
  }
  syncFolder(keysFolder);
  return { name, set, owner, setKey, sealedName, epochs: [epoch], erased: [] };
}

function hasKeys(file: string): BackupError {
  return new BackupError("E-BACKUP-EXISTS", `The data set has keys already: ${file}.`);
}

function parse<T>(file: string, text: string, shape: z.ZodType<T>): T {
  try {
    return shape.parse(JSON.parse(text));
  } catch (cause) {
    throw new BackupError("E-BACKUP-KEYS", `${file} is not a key file of this version.`, {
      hint: "Bring it back from a copy; the keys of a data set cannot be made anew.",
      cause,
    });
  }
}

function setFile(keysFolder: string, name: string): string {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) {
    throw new BackupError("E-BACKUP-UNKNOWN", `"${name}" cannot be the name of a data set.`, {
      hint: "Use 1 to 63 of a-z, 0-9 and -.",
      exit: 2,
    });
  }
  return join(keysFolder, "sets", `${name}.json`);
}

function idIn<Id extends AnyId>(text: string, sizeBytes: 16 | 32 = 32): Id {
  const id = parseId<Id>(text, sizeBytes);
  if (id === undefined) throw new RangeError("checked by the shape");
  return id;
}
