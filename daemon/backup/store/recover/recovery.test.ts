import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { Founding, testKey } from "../../../../test-mesh/fakes/founding.ts";
import { SeededRandom } from "../../../../test-mesh/fakes/seeded-random.ts";
import { MemoryStore } from "../../../../test-mesh/simulation/spread-mesh.ts";
import { authorize } from "../../../core/authority/authorize.ts";
import type { Channel } from "../../../core/transport.ts";
import { silentLogger } from "../../../observe/log.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import {
  idOf,
  type ChainId,
  type PeerKey,
  type SetId,
  type ShardId,
} from "../../../../protocol/ids.ts";
import { signList } from "../../../../protocol/backup/list.ts";
import { shardIdOf } from "../../../../protocol/backup/shard-id.ts";
import type { Holder } from "../holder.ts";
import { ListStore, loadList } from "../lists/list-store.ts";
import { RecoverServer } from "./recover-server.ts";
import { Recovery } from "./recovery.ts";
import { ShardStore } from "../shards/shard-store.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;
const CHAIN = "aa".repeat(16) as ChainId;
const founding = new Founding();
const home = founding.enrol("home");
const OWNER = founding.own("people");
founding.delegate("people", home);
const random = new SeededRandom(9);
const shards = [1, 2, 3].map(() => random.bytes(4096));
const ids = shards.map((bytes) => shardIdOf(OWNER, SET, bytes));
const [first, second] = ids as [ShardId, ShardId, ShardId];

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "pleach-recovery-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function headAt(number: number): Head {
  const root = number === 1 ? first : second;
  return { chain: CHAIN, number, previous: number === 1 ? null : first, root, atMs: number };
}

/** The list of a snapshot: one more shard each time, the root among them. */
function listAt(number: number) {
  const entries = ids.slice(0, number + 1).map((shard) => ({ shard, sizeBytes: 4096 }));
  const place = { group: 0, groups: 1, generation: number, previous: null };
  const set = { mesh: founding.meshId, owner: OWNER, set: SET, ...place };
  const about = { sealedName: new Uint8Array(), keyEpoch: 1, copies: 3, head: headAt(number) };
  return loadList(signList(testKey("home"), { ...set, ...about }, entries));
}

/** A member that holds these shards, and of these snapshots the lists. */
async function member(
  name: string,
  held: readonly Uint8Array[],
  filled: number,
  newest: number,
  then: (lists: ListStore) => Promise<void> = async () => {},
) {
  const store = await ShardStore.open(join(folder, name));
  for (const bytes of held) {
    await store.put({ owner: OWNER, set: SET, shard: shardIdOf(OWNER, SET, bytes) }, bytes);
  }
  const lists = await ListStore.open(new MemoryStore(), () => 0);
  await lists.put([listAt(filled)]);
  await lists.noteComplete(listAt(filled));
  if (newest !== filled) await lists.put([listAt(newest)]);
  await then(lists);
  const state = {
    meshId: founding.meshId,
    authority: () => authorize(founding.statements),
    statements: () => founding.statements,
    view: () => ({ hash: "", entries: () => [], get: (): undefined => undefined }),
  };
  const holder = { state, lists, shards: store, log: silentLogger } as unknown as Holder;
  const none = { provide: async () => {}, findProviders: async () => [] };
  return new RecoverServer(holder, none);
}

async function recover(members: Readonly<Record<string, RecoverServer>>): Promise<Recovery> {
  const peer = idOf<PeerKey>(testKey("recovery people").publicKey);
  const addresses = Object.keys(members).map((name) => `/ip4/192.0.2.1/tcp/1/p2p/${name}`);
  const open = async (address: string) => {
    const [ours, theirs] = channelPair(peer);
    const server = members[address.slice(address.lastIndexOf("/") + 1)];
    void server?.serve(theirs).catch(() => ours.abort("refused"));
    return ours;
  };
  const clock = { monotonicMs: () => 0 };
  const recovery = new Recovery(founding.meshId, addresses, "any", open, clock);
  await recovery.run();
  return recovery;
}

/** Two ends in one process, without time: a frame is there when it was sent. */
function channelPair(peer: PeerKey): [Channel<PeerKey>, Channel<PeerKey>] {
  const queues: [Queue, Queue] = [new Queue(), new Queue()];
  const end = (own: Queue, other: Queue): Channel<PeerKey> => ({
    peer,
    send: async (frame) => other.put(frame),
    receive: () => own.take(),
    end: async () => other.put(undefined),
    abort: () => {
      own.put(undefined);
      other.put(undefined);
    },
  });
  return [end(...queues), end(queues[1], queues[0])];
}

class Queue {
  readonly #frames: (Uint8Array | undefined)[] = [];
  #wake: (() => void) | undefined;

  put(frame: Uint8Array | undefined): void {
    this.#frames.push(frame);
    this.#wake?.();
  }

  async take(): Promise<Uint8Array | undefined> {
    while (this.#frames.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#frames.shift();
  }
}

test("a box that was lost while it spread a snapshot gets the one before it", async () => {
  // Both have the list of the second snapshot, and neither has its root.
  const recovery = await recover({
    a: await member("a", shards.slice(0, 1), 1, 2),
    b: await member("b", shards.slice(0, 1), 1, 2),
  });
  const { state, heads } = recovery.status();
  assert.equal(state, "ready");
  const available = heads.filter((each) => each.available);
  assert.deepEqual(
    available.map(({ head }) => head.number),
    [1],
  );
  assert.deepEqual(await recovery.shard(SET, first), shards[0]);
  recovery.end();
});

test("a shard that the holder of the newest list lost comes from one that is behind", async () => {
  const recovery = await recover({
    a: await member("a", shards.slice(1), 2, 2),
    b: await member("b", shards.slice(0, 2), 1, 1),
  });
  const numbers = recovery.status().heads.map(({ head }) => head.number);
  assert.deepEqual(numbers, [2, 1]);
  assert.deepEqual(await recovery.shard(SET, first), shards[0]);
  recovery.end();
});

test("a box that was taken over hides no honest snapshot, however many lists it publishes", async () => {
  const server = await member("a", shards.slice(0, 2), 1, 1, async (lists) => {
    for (let generation = 2; generation < 30; generation++) {
      const list = foreignList(generation);
      await lists.put([list]);
      await lists.noteComplete(list);
    }
  });
  const recovery = await recover({ a: server });
  const { heads } = recovery.status();
  const honest = heads.find(({ head }) => head.chain === CHAIN);
  assert.equal(honest?.head.root, first);
  assert.equal(honest?.available, true);
  assert.deepEqual(await recovery.shard(SET, first), shards[0]);
  recovery.end();
});

/** An empty list with a head of a chain that nobody knows. */
function foreignList(generation: number) {
  const place = { group: 0, groups: 1, generation, previous: null };
  const set = { mesh: founding.meshId, owner: OWNER, set: SET, ...place };
  const chain = generation.toString(16).padStart(32, "0") as ChainId;
  const head = { chain, number: 2 ** 40, previous: null, root: second, atMs: 2 ** 50 };
  const about = { sealedName: new Uint8Array(), keyEpoch: 1, copies: 3, head };
  return loadList(signList(testKey("home"), { ...set, ...about }, []));
}
