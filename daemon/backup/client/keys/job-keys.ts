/**
 * The two files between a box that has erased the keys of its past and the phrase that opens them.
 *
 * The **capsule file** goes from the box to a machine of the owner's choice, which may have no
 * network: it names one snapshot and has the capsules of its key epochs, as every shard carries
 * them in the clear. The **job keys** come back: K_set and the keys of just these epochs, for one
 * restore. They are for their owner alone, and are overwritten when the restore is done.
 */
import { z } from "zod";
import { openCapsule } from "../../../../protocol/backup/capsule.ts";
import {
  fromHex,
  toHex,
  type OwnerId,
  type SetId,
  type ShardId,
} from "../../../../protocol/ids.ts";
import { hexId } from "../../../../protocol/logs/record.ts";
import { CAPSULE_BYTES, MAX_KEY_EPOCH } from "../../../../protocol/backup/shard.ts";
import { BackupError } from "../error.ts";
import { readSecret, writeSecret } from "./secret-file.ts";

/** One for each run of eleven years of days. */
const MAX_EPOCHS = 4096;

const about = {
  v: z.literal(1),
  owner: hexId<OwnerId>(),
  set: hexId<SetId>(16),
  /** Of the data set; for people only. */
  name: z.string().max(63),
  snapshot: z.object({
    root: hexId<ShardId>(),
    number: z.int().min(1),
    atMs: z.int().min(0),
  }),
};
const key = z.string().regex(/^[0-9a-f]{64}$/, "is not a key");
const epoch = z.int().min(0).max(MAX_KEY_EPOCH);

const capsuleShape = z.strictObject({
  is: z.literal("pleach capsules"),
  ...about,
  capsules: z.array(z.strictObject({ epoch, capsule: z.base64() })).max(MAX_EPOCHS),
});

const keysShape = z.strictObject({
  is: z.literal("pleach keys"),
  ...about,
  setKey: key,
  epochs: z.array(z.strictObject({ epoch, key })).max(MAX_EPOCHS),
});

/** One snapshot of one data set. */
export interface RestoreJob {
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly name: string;
  readonly snapshot: { readonly root: ShardId; readonly number: number; readonly atMs: number };
}

export interface JobCapsules extends RestoreJob {
  readonly capsules: readonly { readonly epoch: number; readonly capsule: Uint8Array }[];
}

export interface JobKeys extends RestoreJob {
  /** K_set, 32 bytes. */
  readonly setKey: Uint8Array;
  /** K_epoch by its number. */
  readonly epochs: ReadonlyMap<number, Uint8Array>;
}

/** @throws BackupError E-BACKUP-EXISTS when there is such a file. */
export function writeCapsules(file: string, { capsules, ...job }: JobCapsules): void {
  const text = JSON.stringify(
    {
      is: "pleach capsules",
      v: 1,
      ...aboutOf(job),
      capsules: capsules.map(({ epoch: number, capsule }) => {
        return { epoch: number, capsule: Buffer.from(capsule).toString("base64") };
      }),
    } satisfies z.input<typeof capsuleShape>,
    undefined,
    2,
  );
  writeSecret(file, `${text}\n`);
}

/** @param text - Of the file. @throws BackupError E-BACKUP-KEYS when it is none. */
export function parseCapsules(file: string, text: string): JobCapsules {
  const { capsules, ...value } = parse(file, text, capsuleShape, "pleach keys capsules");
  return {
    ...aboutOf(value),
    capsules: capsules.map(({ epoch: number, capsule }) => {
      const bytes = Buffer.from(capsule, "base64");
      if (bytes.length === CAPSULE_BYTES) return { epoch: number, capsule: bytes };
      throw new BackupError("E-BACKUP-KEYS", `A capsule in ${file} has ${bytes.length} bytes.`);
    }),
  };
}

/**
 * @param box - Secret half of B.
 * @throws BackupError E-BACKUP-KEYS when a capsule is not sealed to that owner for that set.
 */
export function openCapsules({ capsules, ...job }: JobCapsules, box: Uint8Array): JobKeys {
  const epochs = new Map<number, Uint8Array>();
  let setKey: Uint8Array | undefined;
  for (const { epoch: keyEpoch, capsule } of capsules) {
    const { owner, set } = job;
    const opened = openCapsule(box, { owner, set, keyEpoch, capsule });
    if (opened === undefined) {
      throw new BackupError(
        "E-BACKUP-KEYS",
        `The capsule of key epoch ${keyEpoch} does not open with this phrase.`,
        { hint: "Take the phrase of the owner of this data set." },
      );
    }
    epochs.set(keyEpoch, opened.epochKey);
    setKey = opened.setKey;
  }
  if (setKey === undefined) throw new BackupError("E-BACKUP-KEYS", "There is no capsule to open.");
  return { ...job, setKey, epochs };
}

/** @throws BackupError E-BACKUP-EXISTS when there is such a file. */
export function writeJobKeys(file: string, { setKey, epochs, ...job }: JobKeys): void {
  const text = JSON.stringify({
    is: "pleach keys",
    v: 1,
    ...aboutOf(job),
    setKey: toHex(setKey),
    epochs: [...epochs].map(([number, bytes]) => ({ epoch: number, key: toHex(bytes) })),
  } satisfies z.input<typeof keysShape>);
  writeSecret(file, `${text}\n`);
}

/** @throws BackupError E-BACKUP-KEYS when there is none, it is none, or others can read it. */
export function readJobKeys(file: string): JobKeys {
  const text = readSecret(file, "Make it:  pleach keys open SET --at WHEN --out FILE");
  const { setKey, epochs, ...value } = parse(file, text, keysShape, "pleach keys open");
  return {
    ...aboutOf(value),
    setKey: fromHex(setKey),
    epochs: new Map(epochs.map(({ epoch: number, key: hex }) => [number, fromHex(hex)])),
  };
}

function aboutOf({ owner, set, name, snapshot }: RestoreJob): RestoreJob {
  const { root, number, atMs } = snapshot;
  return { owner, set, name, snapshot: { root, number, atMs } };
}

function parse<T>(file: string, text: string, shape: z.ZodType<T>, madeBy: string): T {
  try {
    return shape.parse(JSON.parse(text));
  } catch (cause) {
    throw new BackupError("E-BACKUP-KEYS", `${file} is not what \`${madeBy}\` makes.`, {
      hint: "Make it anew with this version of Pleach.",
      cause,
    });
  }
}
