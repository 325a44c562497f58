/**
 * The keys of data sets, in files of root that the daemon cannot open.
 *
 * `KEYS/owner.json` pins the owner and its box key B; it has nothing secret. `KEYS/sets/NAME.json`
 * has the keys of one data set. Files are made 0600 and never over another, and refused when others
 * can read them.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { sealCapsule } from "../../../protocol/capsule.ts";
import {
  fromHex,
  idOf,
  parseId,
  toHex,
  type AnyId,
  type MeshId,
  type OwnerId,
  type SetId,
} from "../../../protocol/ids.ts";
import { sealSetName } from "../../../protocol/set-keys.ts";
import { CIPHER_NONCE_BYTES } from "../../../protocol/xchacha.ts";
import { BackupError } from "./error.ts";

/** Access of group or others. */
const OTHERS = 0o077;
const MAX_FILE_BYTES = 64 * 1024;

const hexKey = z.string().regex(/^[0-9a-f]{64}$/, "is not a key");

const ownerShape = z.object({ meshId: hexKey, ownerId: hexKey, box: hexKey });

const setShape = z.object({
  v: z.literal(1),
  name: z.string(),
  set: z.string().regex(/^[0-9a-f]{32}$/),
  owner: hexKey,
  setKey: hexKey,
  sealedName: z.base64(),
  epochs: z.array(z.object({ epoch: z.int().min(0), key: hexKey, capsule: z.base64() })).min(1),
});

/** Whom backups of this machine are sealed to. */
export interface OwnerPin {
  readonly meshId: MeshId;
  readonly ownerId: OwnerId;
  /** B, 32 bytes. */
  readonly box: Uint8Array;
}

export interface EpochKey {
  readonly epoch: number;
  /** K_epoch, 32 bytes. */
  readonly key: Uint8Array;
  readonly capsule: Uint8Array;
}

export interface SetKeyFile {
  readonly name: string;
  readonly set: SetId;
  readonly owner: OwnerId;
  /** K_set, 32 bytes. */
  readonly setKey: Uint8Array;
  readonly sealedName: Uint8Array;
  /** One or more, the newest last. */
  readonly epochs: readonly EpochKey[];
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
  return {
    name: value.name,
    set: idIn<SetId>(value.set, 16),
    owner: idIn<OwnerId>(value.owner),
    setKey: fromHex(value.setKey),
    sealedName: Buffer.from(value.sealedName, "base64"),
    epochs: value.epochs.map(({ epoch, key, capsule }) => ({
      epoch,
      key: fromHex(key),
      capsule: Buffer.from(capsule, "base64"),
    })),
  };
}

/**
 * Makes the keys of a new data set.
 *
 * @throws BackupError E-BACKUP-EXISTS when the name is taken: keys are never replaced.
 */
export function createSetKeys(keysFolder: string, name: string, pin: OwnerPin): SetKeyFile {
  const set = idOf<SetId>(randomBytes(16));
  const setKey = Uint8Array.from(randomBytes(32));
  const epochKey = Uint8Array.from(randomBytes(32));
  const keyEpoch = 1;
  const subject = { owner: pin.ownerId, set, keyEpoch };
  const capsule = sealCapsule(pin.box, subject, { setKey, epochKey }, randomBytes(56));
  const sealedName = sealSetName(setKey, name, randomBytes(CIPHER_NONCE_BYTES));
  const text = JSON.stringify(
    {
      v: 1,
      name,
      set,
      owner: pin.ownerId,
      setKey: toHex(setKey),
      sealedName: Buffer.from(sealedName).toString("base64"),
      epochs: [
        {
          epoch: keyEpoch,
          key: toHex(epochKey),
          capsule: Buffer.from(capsule).toString("base64"),
        },
      ],
    } satisfies z.input<typeof setShape>,
    undefined,
    2,
  );
  const file = setFile(keysFolder, name);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeNew(file, `${text}\n`);
  const epochs = [{ epoch: keyEpoch, key: epochKey, capsule }];
  return { name, set, owner: pin.ownerId, setKey, sealedName, epochs };
}

/** Under its name the file is whole, whatever ends the process; one that is there stays. */
function writeNew(file: string, text: string): void {
  const unfinished = `${file}.${process.pid}.tmp`;
  try {
    const fd = openSync(unfinished, "wx", 0o600);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(unfinished, file);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") {
      throw new BackupError("E-BACKUP-EXISTS", `The data set has keys already: ${file}.`, {
        cause,
      });
    }
    throw new BackupError("E-BACKUP-KEYS", `${file} cannot be made (${String(cause)}).`, { cause });
  } finally {
    rmSync(unfinished, { force: true });
  }
  // The names have to survive a power cut, too: shards sealed with lost keys are lost.
  for (const folder of [dirname(file), dirname(dirname(file))]) {
    const fd = openSync(folder, "r");
    fsyncSync(fd);
    closeSync(fd);
  }
}

function readSecret(file: string, hintIfMissing: string): string {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    if (isMissing(cause)) {
      throw new BackupError("E-BACKUP-KEYS", `There is no ${file}.`, {
        hint: hintIfMissing,
        cause,
      });
    }
    throw cannotRead(file, cause);
  }
  try {
    const stat = fstatSync(fd);
    if ((stat.mode & OTHERS) !== 0) {
      throw new BackupError("E-BACKUP-KEYS", `Others can read ${file}.`, {
        hint: `Take their access away:  chmod 0600 ${file}`,
      });
    }
    if (stat.size > MAX_FILE_BYTES) {
      throw new BackupError("E-BACKUP-KEYS", `${file} is too long for a key file.`);
    }
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
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

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function cannotRead(file: string, cause: unknown): BackupError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BackupError("E-BACKUP-KEYS", `${file} cannot be read (${reason}).`, {
    hint: "Backups run as root: the keys are for root alone.",
    cause,
  });
}
