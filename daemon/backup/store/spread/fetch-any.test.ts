import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { FakeTime } from "../../../../test-mesh/fakes/clock.ts";
import { idOf, sha256, type OwnerId, type SetId, type SiteId } from "../../../../protocol/ids.ts";
import { RANGE_BYTES, SHARD_BYTES, shardIdOf } from "../../../../protocol/backup/shard-id.ts";
import { rangeRoots } from "../../../../protocol/backup/shard-ranges.ts";
import {
  decodeOpenerMessage,
  encodeHolderMessage,
} from "../../../../protocol/messages/shard-message.ts";
import type { Channel, Transport } from "../../../core/transport.ts";
import { ShardFetcher, type ShardSource } from "./fetch-any.ts";
import { fetchRanges } from "./fetch.ts";
import { rawFrames } from "../lists/send-list.ts";
import type { ShardName } from "../shards/shard-store.ts";

const OWNER = idOf<OwnerId>(sha256("owner"));
const SET = "00112233445566778899aabbccddeeff" as SetId;
const SITES = ["a", "b", "c"].map((name) => idOf<SiteId>(sha256(name)));
const [A, B, C] = SITES as [SiteId, SiteId, SiteId];

interface Giver {
  readonly bytesPerSecond: number;
  /** Says nothing more after so many bytes. */
  readonly silentAfterBytes?: number;
  /** Changes what it gives. */
  readonly lie?: (bytes: Uint8Array) => Uint8Array;
}

/** Sites that give shards at their own speeds, in fake time. */
function stage(givers: ReadonlyMap<SiteId, Giver>) {
  const time = new FakeTime();
  const clock = time.clock();
  const shards = new Map<string, Uint8Array>();
  const given = new Map<SiteId, number>();
  const warned: string[] = [];
  const underWay = new Map<SiteId, number>();
  const open = async (site: SiteId): Promise<Channel> => {
    const giver = givers.get(site);
    assert.ok(giver);
    const frames: Uint8Array[] = [];
    let gone = false;
    let passed = 0;
    underWay.set(site, (underWay.get(site) ?? 0) + 1);
    return {
      peer: site,
      send: async (frame) => {
        const asked = decodeOpenerMessage(frame);
        assert.ok(asked.k === "get");
        const bytes = shards.get(asked.shard);
        assert.ok(bytes);
        const [sizeBytes, roots] = [bytes.length, rangeRoots(bytes)];
        frames.push(encodeHolderMessage({ k: "found", sizeBytes, roots }));
        frames.push(...rawFrames((giver.lie ?? ((same) => same))(bytes).subarray(asked.from)));
      },
      receive: (timeoutMs) =>
        new Promise((resolve, reject) => {
          const size = frames[0]?.length ?? 0;
          const isSilent = passed + size > (giver.silentAfterBytes ?? Number.POSITIVE_INFINITY);
          // Those that come from one site at once share its line.
          const share = giver.bytesPerSecond / (underWay.get(site) ?? 1);
          const tookMs = isSilent ? Number.POSITIVE_INFINITY : (size / share) * 1000;
          const late = tookMs > timeoutMs;
          clock.after(Math.min(tookMs, timeoutMs), () => {
            if (gone || late) return reject(new Error("nothing came"));
            passed += size;
            given.set(site, (given.get(site) ?? 0) + size);
            resolve(frames.shift());
          });
        }),
      end: async () => {},
      abort: () => {
        if (!gone) underWay.set(site, (underWay.get(site) ?? 1) - 1);
        gone = true;
      },
    };
  };
  const fetcher = new ShardFetcher(clock);
  const transport = { open } as unknown as Transport;
  const { signal } = new AbortController();
  const sourcesOf = (name: ShardName): ShardSource[] =>
    [...givers.keys()].map((id) => ({
      id,
      ask: (target, options) =>
        fetchRanges({ transport }, id, name, target, { ...options, why: "restore", signal }),
    }));
  /** A restore that asks for shards, several at once; how long it took, in seconds. */
  const restore = async (count: number, atOnce: number): Promise<number> => {
    const names = Array.from({ length: count }, () => {
      const bytes = randomBytes(SHARD_BYTES);
      const shard = shardIdOf(OWNER, SET, bytes);
      shards.set(shard, bytes);
      return { owner: OWNER, set: SET, shard };
    });
    const queue = [...names];
    const worker = async (): Promise<void> => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        const got = await fetcher.fetch(name, sourcesOf(name), (site, _error, isLie) => {
          if (isLie) warned.push(site);
        });
        assert.ok(got !== undefined && Buffer.compare(got, shards.get(name.shard) ?? got) === 0);
      }
    };
    let over = false;
    const all = Promise.all(Array.from({ length: atOnce }, worker)).finally(() => (over = true));
    const tookMs = await time.until(() => over, 3_600_000, "the restore");
    await all;
    return tookMs / 1000;
  };
  return { restore, given, warned };
}

const MB = 1e6;

test("all lines are drawn on, each by its speed", async () => {
  const lines = new Map([
    [A, { bytesPerSecond: MB }],
    [B, { bytesPerSecond: MB }],
    [C, { bytesPerSecond: 4 * MB }],
  ]);
  const { restore, given } = stage(lines);
  const seconds = await restore(30, 6);
  const best = (30 * SHARD_BYTES) / (6 * MB);
  assert.ok(seconds < best * 1.4, `${seconds} s, ${best} at best`);
  assert.ok((given.get(C) ?? 0) > 2 * (given.get(A) ?? 0));
});

test("a crawling holder holds nothing up: others go on in the middle of its shards", async () => {
  const { restore, given } = stage(
    new Map([
      [A, { bytesPerSecond: 10_000 }],
      [B, { bytesPerSecond: MB }],
    ]),
  );
  const seconds = await restore(12, 4);
  const best = (12 * SHARD_BYTES) / MB;
  // A shard of its own would take it 420 s.
  assert.ok(seconds < best * 1.8 + 60, `${seconds} s, ${best} at best`);
  const total = [...given.values()].reduce((sum, bytes) => sum + bytes, 0);
  assert.ok(total < 12 * SHARD_BYTES * 1.02 + 4 * RANGE_BYTES, "next to nothing came twice");
});

test("one that falls silent in a shard costs ten seconds and no verified range", async () => {
  const { restore, given } = stage(
    new Map([
      [A, { bytesPerSecond: MB, silentAfterBytes: 3 * MB }],
      [B, { bytesPerSecond: MB }],
    ]),
  );
  const seconds = await restore(1, 1);
  assert.ok(seconds < 16, `${seconds} s`);
  const total = [...given.values()].reduce((sum, bytes) => sum + bytes, 0);
  assert.ok(total < SHARD_BYTES + 2 * RANGE_BYTES);
});

test("one that lies is named, and asked last from then on", async () => {
  const lie = (bytes: Uint8Array): Uint8Array => {
    const changed = Uint8Array.from(bytes);
    changed[3 * RANGE_BYTES] = (changed[3 * RANGE_BYTES] ?? 0) ^ 1;
    return changed;
  };
  const { restore, given, warned } = stage(
    new Map([
      [A, { bytesPerSecond: 4 * MB, lie }],
      [B, { bytesPerSecond: MB }],
    ]),
  );
  await restore(6, 1);
  assert.deepEqual(warned, [A]);
  assert.ok((given.get(A) ?? 0) <= 5 * RANGE_BYTES);
});
