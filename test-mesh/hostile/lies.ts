/**
 * How a holder lies about the shards of a data set, when it is audited and when it is read.
 *
 * - `deletes`: it says what is true of its files, and has nothing fetched again.
 * - `keeps the tree`: it answers as if it had kept the hashes of all leaves and none of the data.
 * - `refuses`: it is there, and answers neither audits nor reads.
 * - `hoards`: it proves everything, and gives nothing back.
 * - a table: wherever it is asked for the first shard it gives the second.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  auditMac,
  type AuditAnswer,
  type AuditQuestion,
} from "../../protocol/messages/audit-message.ts";
import type { ShardId, SiteId } from "../../protocol/ids.ts";
import { LEAF_BYTES, merkleProof } from "../../protocol/backup/shard-id.ts";

export type Lie =
  | "deletes"
  | "keeps the tree"
  | "refuses"
  | "hoards"
  | Readonly<Record<string, ShardId>>;

export interface Liar {
  readonly siteId: SiteId;
  /** The folder with the shards of the set. */
  readonly folder: string;
  readonly lie: Lie;
}

/** What the liar says to a question of an audit. */
export async function lyingAnswer(liar: Liar, question: AuditQuestion): Promise<AuditAnswer> {
  if (liar.lie === "refuses") return { k: "refuse", why: "busy" };
  if (question.k === "leaves") {
    const items = question.items.map(async ({ shard, leaf }) => {
      const bytes = await stored(liar, shard);
      const offset = leaf * LEAF_BYTES;
      if (bytes === undefined || offset >= bytes.length) return null;
      const path = [...merkleProof(bytes, offset, LEAF_BYTES)];
      return { bytes: given(liar, bytes).slice(offset, offset + LEAF_BYTES), path };
    });
    return { k: "leaves", items: await Promise.all(items) };
  }
  const macs = question.shards.map(async (shard) => {
    const bytes = await stored(liar, shard);
    if (bytes === undefined) return null;
    return auditMac(question.nonce, liar.siteId, shard, given(liar, bytes));
  });
  return { k: "whole", macs: await Promise.all(macs) };
}

/** What the liar gives to somebody who wants to read a shard; undefined: it says that it has none. */
export async function lyingBytes(liar: Liar, shard: ShardId): Promise<Uint8Array | undefined> {
  if (liar.lie === "refuses" || liar.lie === "hoards") return undefined;
  const bytes = await stored(liar, shard);
  return bytes === undefined ? undefined : given(liar, bytes);
}

/** The file that it takes for the shard. */
async function stored({ folder, lie }: Liar, shard: ShardId): Promise<Uint8Array | undefined> {
  const taken = typeof lie === "string" ? shard : (lie[shard] ?? shard);
  return readFile(join(folder, taken.slice(0, 2), taken)).catch((): undefined => undefined);
}

function given({ lie }: Liar, bytes: Uint8Array): Uint8Array {
  return lie === "keeps the tree" ? new Uint8Array(bytes.length) : bytes;
}
