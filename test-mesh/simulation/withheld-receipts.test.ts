/** A first hop that keeps receipts, or whole copies, from the owner is gone round. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Channel } from "../../daemon/core/transport.ts";
import type { ChainId, SetId, SiteId } from "../../protocol/ids.ts";
import { placeRecord } from "../../protocol/logs/record.ts";
import { openReceipt } from "../../protocol/backup/receipt.ts";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import {
  decodeHolderMessage,
  decodeOpenerMessage,
  encodeHolderMessage,
  encodeOpenerMessage,
} from "../../protocol/messages/shard-message.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { OWNER, SpreadMesh, type SimulatedSite } from "./spread-mesh.ts";

const SET = "00112233445566778899aabbccddeeff" as SetId;
const CHAIN = "0123456789abcdef0123456789abcdef" as ChainId;
const SIZES = [65_536, 131_072, 4096];
const BYTES = SIZES.reduce((sum, size) => sum + size, 0);
const NAMES = ["a", "b", "c"];

/** Passes on only its own receipts; what later hops signed never gets back. */
function withholding(self: SiteId): (channel: Channel) => Channel {
  return (channel) =>
    changed(channel, {
      out: (frame) => {
        const message = decodeHolderMessage(frame);
        if (message.k !== "receipt") return frame;
        const own = message.receipts.filter((signed) => openReceipt(signed).holder === self);
        return encodeHolderMessage({ k: "receipt", receipts: own });
      },
      in: (frame) => frame,
    });
}

/** Takes everything for itself, and says that the whole chain has been served. */
function keeping(channel: Channel): Channel {
  let isFirst = true;
  return changed(channel, {
    out: (frame) => frame,
    in: (frame) => {
      const message = isFirst ? decodeOpenerMessage(frame) : undefined;
      isFirst = false;
      return message?.k === "offer" ? encodeOpenerMessage({ ...message, chain: [] }) : frame;
    },
  });
}

interface Changes {
  readonly out: (frame: Uint8Array) => Uint8Array;
  readonly in: (frame: Uint8Array) => Uint8Array;
}

function changed(channel: Channel, changes: Changes): Channel {
  return {
    peer: channel.peer,
    send: (frame) => channel.send(changes.out(frame)),
    receive: async (timeoutMs) => {
      const frame = await channel.receive(timeoutMs);
      return frame === undefined ? undefined : changes.in(frame);
    },
    end: () => channel.end(),
    abort: (reason) => channel.abort(reason),
  };
}

/** Publishes a set at "home" whose first hop is distorted before a byte is sent to it. */
async function stage(
  context: TestContext,
  distortion: (site: SimulatedSite) => (channel: Channel) => Channel,
) {
  const made = await SpreadMesh.create({ silentMs: 60_000 });
  context.after(() => made.end());
  const home = await made.up("home");
  for (const name of NAMES) await made.up(name);
  made.delegate(home.id);
  await made.pass(3000);
  // Whoever the owner's site turns to first is the first hop, and lies from then on.
  let liar: string | undefined;
  for (const name of NAMES) {
    const site = made.sites.get(name);
    assert.ok(site);
    const distort = distortion(site);
    made.distorted.set(name, (channel) => {
      if (channel.peer === home.id) liar ??= name;
      return name === liar ? distort(channel) : channel;
    });
  }
  const random = new SeededRandom(3);
  const shards = SIZES.map((size) => random.bytes(size));
  const named = shards.map((bytes) => [shardIdOf(OWNER, SET, bytes), bytes] as const);
  for (const [shard, bytes] of named) await home.backups.putShard(SET, shard, bytes);
  await home.backups.commit(SET, {
    ...{ owner: OWNER, sealedName: "", keyEpoch: 0, copies: 3, remove: [] },
    add: named.map(([shard, bytes]) => [shard, bytes.length] as const),
    head: { chain: CHAIN, number: 1, previous: null, root: named[0]?.[0] ?? "", atMs: 1 },
  });
  return { made, home };
}

async function untilSafe(made: SpreadMesh, home: SimulatedSite, limitMs: number) {
  const startMs = made.time.nowMs;
  for (;;) {
    const copies = await home.backups.copies(SET, false);
    if (copies.safe) return { tookMs: made.time.nowMs - startMs, sent: copies.ownerSentBytes };
    if (made.time.nowMs - startMs > limitMs) assert.fail(JSON.stringify(copies));
    await made.pass(250);
  }
}

test("receipts that the first hop withholds are asked for at their signers, at no cost", async (context) => {
  const { made, home } = await stage(context, (site) => withholding(site.id));
  const { tookMs, sent } = await untilSafe(made, home, 60_000);
  context.diagnostic(`safe after ${tookMs} ms`);
  assert.equal(sent, BYTES);
});

test("copies that the first hop does not pass on are sent round it, once", async (context) => {
  const { made, home } = await stage(context, () => keeping);
  const { tookMs, sent } = await untilSafe(made, home, 60_000);
  context.diagnostic(`safe after ${tookMs} ms`);
  assert.equal(sent, 2 * BYTES);
  const place = made.records().find((entry) => entry.class === "place");
  assert.equal(placeRecord.parse(place?.value).groups[0]?.targets.length, 3);
});
