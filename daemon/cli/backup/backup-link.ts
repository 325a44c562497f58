/** The plaintext side's port to the daemon, over the control socket: only ciphertext passes. */
import type { z } from "zod";
import type {
  CommitRequest,
  KeyState,
  KeyStore,
  SetStore,
  ShardSource,
} from "../../backup/client/port.ts";
import type { ControlClient } from "../../control/client.ts";
import { DaemonError } from "../../control/client.ts";
import {
  commitAnswerShape,
  type headShape,
  headsShape,
  receiptsShape,
  setDetailShape,
  type CommitRequest as CommitBody,
} from "../../control/shapes-backup.ts";
import type { Head } from "../../../protocol/backup/head.ts";
import { parseId, type ChainId, type SetId, type ShardId } from "../../../protocol/ids.ts";
import { SHARD_BYTES } from "../../../protocol/backup/shard-id.ts";

/** The daemon may have to fetch a shard from a holder behind a slow line. */
export const FETCH_TIMEOUT_MS = 10 * 60_000;
/** It answers when the shard, or the lists, are on the disk. */
const STORE_TIMEOUT_MS = 5 * 60_000;

export type SetDetail = z.infer<typeof setDetailShape>;

/** A data set of this site as the daemon knows it; undefined before its first run. */
export async function setDetail(client: ControlClient, set: SetId): Promise<SetDetail | undefined> {
  try {
    return await client.get(`/v1/backup/sets/${set}`, setDetailShape);
  } catch (error) {
    if (error instanceof DaemonError && error.code === "E-NOT-FOUND") return undefined;
    throw error;
  }
}

/** The heads of a data set of this site, as the members that can be asked know them now. */
export async function setHeads(client: ControlClient, set: SetId) {
  const answer = await client.get(`/v1/backup/sets/${set}/heads`, headsShape);
  const heads = answer.heads.flatMap(({ head, confirmedBy }) => {
    const known = headOf(head);
    return known === null ? [] : [{ head: known, confirmedBy }];
  });
  return { ...answer, heads };
}

/** A head as the socket gives it, with its identifiers checked. */
export function headOf(head: z.infer<typeof headShape> | null): Head | null {
  if (head === null) return null;
  const { previous, number, atMs } = head;
  return {
    chain: known(parseId<ChainId>(head.chain, 16)),
    number,
    previous: previous === null ? null : shardOf(previous),
    root: shardOf(head.root),
    atMs,
  };
}

/** Heads as the socket gives them. */
export function headsIn(heads: readonly z.infer<typeof headShape>[]): Head[] {
  return heads.flatMap((head) => headOf(head) ?? []);
}

async function setState(client: ControlClient, set: SetId): Promise<KeyState | undefined> {
  const detail = await setDetail(client, set);
  if (detail === undefined) return undefined;
  const lost = new Set(detail.lost);
  const shards = detail.groups.flatMap(({ entries }) =>
    entries.flatMap(([shard]) => (lost.has(shard) ? [] : [shardOf(shard)])),
  );
  return {
    head: headOf(detail.head),
    tips: headsIn(detail.tips),
    setBackTo: detail.setBackTo === null ? null : { head: headOf(detail.setBackTo.head) },
    shards: new Set(shards),
    keyEpoch: detail.keyEpoch,
    copies: detail.copies.wanted,
    folder: detail.folder,
  };
}

export function setStore(client: ControlClient, set: SetId): SetStore {
  const path = `/v1/backup/sets/${set}`;
  return {
    state: () => setState(client, set),
    heads: async () => (await setHeads(client, set)).heads.map(({ head }) => head),
    get: async (shard: ShardId) => fetchShard(client, `${path}/shards/${shard}`),
    put: async (shard: ShardId, bytes: Uint8Array, onSent?: () => void) => {
      const options = { timeoutMs: STORE_TIMEOUT_MS, ...(onSent && { onSent }) };
      await client.putOctets(`${path}/shards/${shard}`, bytes, options);
    },
    commit: async (request: CommitRequest) => {
      const body: CommitBody = {
        owner: request.owner,
        sealedName: Buffer.from(request.sealedName).toString("base64"),
        keyEpoch: request.keyEpoch,
        copies: request.copies,
        head: request.head,
        found: [...(request.found ?? [])],
        settled: [...(request.settled ?? [])],
        again: (request.again ?? []).map(([shard, sizeBytes]) => [shard, sizeBytes]),
        add: request.add.map(([shard, sizeBytes]) => [shard, sizeBytes]),
        remove: [...(request.remove ?? [])],
      };
      const options = { timeoutMs: STORE_TIMEOUT_MS };
      return client.post(`${path}/commit`, body, commitAnswerShape, options);
    },
  };
}

/** What the keys of a data set are looked after with. */
export function keyStore(client: ControlClient, set: SetId): KeyStore {
  const path = `/v1/backup/sets/${set}/shards`;
  return {
    state: () => setState(client, set),
    get: async (shard: ShardId) => fetchShard(client, `${path}/${shard}`),
    receipts: async (shard: ShardId) => {
      const { receipts } = await client.get(`${path}/${shard}/receipts`, receiptsShape);
      return receipts.map(({ bytes, signature }) => ({
        bytes: Buffer.from(bytes, "base64"),
        signature: Buffer.from(signature, "base64"),
      }));
    },
  };
}

/** Shards of a data set that a recovery found. */
export function recoverySource(client: ControlClient, session: string, set: SetId): ShardSource {
  const path = `/v1/recover/${encodeURIComponent(session)}/sets/${set}/shards`;
  return { get: async (shard) => fetchShard(client, `${path}/${shard}`) };
}

async function fetchShard(client: ControlClient, path: string): Promise<Uint8Array> {
  return client.getOctets(path, SHARD_BYTES, { timeoutMs: FETCH_TIMEOUT_MS });
}

function shardOf(text: string): ShardId {
  return known(parseId<ShardId>(text));
}

function known<Id>(id: Id | undefined): Id {
  if (id === undefined) throw new RangeError("the shape lets identifiers through only");
  return id;
}
