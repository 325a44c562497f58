/** The keys of a data set and of its owner, as what must not be found anywhere. */
import { hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { readSetKeys } from "../../daemon/backup/client/keys/set-key-file.ts";
import { CHUNK_KINDS } from "../../protocol/backup/chunk.ts";
import { phraseOf } from "../../protocol/keys/recovery-phrase.ts";
import { rootFromFile } from "../../protocol/keys/recovery-sheet.ts";
import { chunkIdKey, shardKey } from "../../protocol/backup/set-keys.ts";
import { parseShardHeader } from "../../protocol/backup/shard.ts";
import type { Canary } from "./search.ts";

/** What `deriveOwnerKeys` makes of R. */
const ROOT_KEYS = ["owner-sign", "owner-box", "owner-recover", "mesh-recover"];
const WORDS_TOGETHER = 4;

export interface KeyPlaces {
  readonly keysFolder: string;
  /** Of the data set. */
  readonly name: string;
  /** The recovery sheet of its owner. */
  readonly sheetFile: string;
  /** All shards of the data set. */
  readonly shards: readonly Uint8Array[];
}

/** What every shard carries in the clear, so that a search for it must find it. */
export function capsuleSightings(keysFolder: string, name: string): readonly Canary[] {
  return readSetKeys(keysFolder, name).epochs.map(({ epoch, capsule }) => {
    return { name: `capsule ${epoch}`, bytes: capsule };
  });
}

/** K_set, K_epoch and what comes from them; R, its words and what comes from it. */
export function keyCanaries({ keysFolder, name, sheetFile, shards }: KeyPlaces): readonly Canary[] {
  const { setKey, epochs } = readSetKeys(keysFolder, name);
  const root = rootFromFile(readFileSync(sheetFile, "utf8"));
  const words = phraseOf(root).split(" ");
  const canaries: Canary[] = [
    { name: "K_set", bytes: setKey },
    ...CHUNK_KINDS.map((kind) => {
      return { name: `K_id of ${kind}`, bytes: chunkIdKey(setKey, kind).export() };
    }),
    ...epochs.map(({ epoch, key }) => ({ name: `K_epoch ${epoch}`, bytes: key })),
    { name: "R", bytes: root },
    ...ROOT_KEYS.map((key) => {
      const bytes = hkdfSync("sha256", root, new Uint8Array(0), `pleach/${key}/1`, 32);
      return { name: `${key} of R`, bytes: new Uint8Array(bytes) };
    }),
  ];
  for (let at = 0; at < words.length; at += WORDS_TOGETHER) {
    const some = words.slice(at, at + WORDS_TOGETHER).join(" ");
    canaries.push({ name: `words from ${at + 1} of the phrase`, bytes: Buffer.from(some) });
  }
  for (const [number, bytes] of shards.entries()) {
    const { keyEpoch, nonce } = parseShardHeader(bytes);
    const epoch = epochs.find((each) => each.epoch === keyEpoch);
    if (epoch === undefined) throw new RangeError(`no key of epoch ${keyEpoch}`);
    canaries.push({ name: `K_shard ${number}`, bytes: shardKey(epoch.key, nonce) });
  }
  return canaries;
}
