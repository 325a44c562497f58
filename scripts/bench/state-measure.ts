/**
 * One measurement in a process of its own, so that no other one has warmed it up or filled its
 * memory. Prints one JSON object.
 *
 * Usage: state-measure.ts WHAT SITES FILE DIRECTORY
 */
import { generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { openLevelStore } from "../../daemon/state/level-store.ts";
import { Presence } from "../../daemon/state/presence.ts";
import { State } from "../../daemon/state/state.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import type { Channel, ChannelHandler } from "../../daemon/core/transport.ts";
import { encodePresence } from "../../protocol/logs/presence.ts";
import { idOf, type SiteId } from "../../protocol/ids.ts";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { testKey } from "../../test-mesh/fakes/founding.ts";
import { entryFrames, foundMesh, OBSERVER, siteName } from "./state-mesh.ts";

const [what = "", sitesText = "50", file = "", directory = ""] = process.argv.slice(2);
const sites = Number(sitesText);

const DAY_MS = 24 * 3_600_000;
const WORD_EVERY_MS = 30_000;

const MEASUREMENTS: Readonly<Record<string, () => Promise<object>>> = {
  verify: plainVerification,
  admit: admission,
  open: coldStart,
  write: editing,
  heartbeats: dayOfHeartbeats,
};

/** What OpenSSL does with a header of the size that ours have, and nothing else. */
async function plainVerification(): Promise<object> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const message = randomBytes(430);
  const signature = sign(null, message, privateKey);
  const count = 20_000;
  const fromMs = performance.now();
  for (let i = 0; i < count; i++) verify(null, message, publicKey, signature);
  return { perSecond: count / seconds(fromMs) };
}

/** Entries of all sites, as one peer delivers them to a site that has none, until all are durable. */
async function admission(): Promise<object> {
  const state = await open();
  await state.addStatements(foundMesh({ sites }).statements);
  const peer = idOf<SiteId>(testKey(siteName(0)).publicKey);
  const frames: (readonly Uint8Array[])[] = [];
  for await (const frame of entryFrames(file)) frames.push(frame);
  const startBytes = await residentBytes();
  const fromMs = performance.now();
  let entries = 0;
  let mostBytes = 0;
  let before: Promise<void> = Promise.resolve();
  for (const frame of frames) {
    // As replication does it: one frame is synced while the next one is verified.
    const taken = takeAll(state, frame, peer);
    await before;
    before = taken;
    entries += frame.length;
    mostBytes = Math.max(mostBytes, process.memoryUsage.rss());
  }
  await before;
  const took = seconds(fromMs);
  const records = shownRecords(state);
  await state.close();
  return { entries, seconds: took, perSecond: entries / took, records, startBytes, mostBytes };
}

async function takeAll(state: State, frame: readonly Uint8Array[], peer: SiteId): Promise<void> {
  const receive = (bytes: Uint8Array) => state.replica.receiveEnvelope(bytes, peer);
  const results = await Promise.all(frame.map(receive));
  const unfit = results.find((result) => result !== "accepted");
  if (unfit !== undefined) throw new Error(`an entry is ${JSON.stringify(unfit)}`);
}

/** From nothing in memory to a state whose picture can be read. */
async function coldStart(): Promise<object> {
  const fromMs = performance.now();
  const state = await open();
  const opened = seconds(fromMs);
  const records = shownRecords(state);
  const viewed = seconds(fromMs);
  const bytes = await residentBytes();
  return {
    openSeconds: opened,
    viewSeconds: viewed,
    records,
    documents: state.logHeads().length,
    residentBytes: bytes,
  };
}

function shownRecords(state: State): number {
  const view = state.view();
  return view.entries("zone").length + view.entries("note").length;
}

/** One record of the class changed at a time, beside all those of the others, and the picture after it. */
async function editing(): Promise<object> {
  const state = await open();
  const writes: number[] = [];
  const views: number[] = [];
  state.view();
  for (let round = 0; round < 60; round++) {
    const fromMs = performance.now();
    await state.write([{ class: "zone", key: "observer.example/@/TXT/bench", value: { round } }]);
    const writtenMs = performance.now();
    state.view().get("zone", "observer.example/@/TXT/bench");
    writes.push(writtenMs - fromMs);
    views.push(performance.now() - writtenMs);
  }
  return { writeMs: median(writes), viewMs: median(views) };
}

/**
 * What the store takes for the words of all sites over a day, one each 30 s, signed and verified for
 * real; the observer sends its own to all of them.
 */
async function dayOfHeartbeats(): Promise<object> {
  const state = await open();
  const before = await bytesOnDisk();
  const time = new FakeTime(1);
  const members = [...state.authority().sites.keys()];
  const names = Array.from({ length: sites }, (_, site) => siteName(site));
  const keys = names.map(testKey);
  const ids = keys.map(({ publicKey }) => idOf<SiteId>(publicKey));
  let hear: ChannelHandler | undefined;
  const presence = new Presence({
    transport: {
      self: state.siteId,
      links: () => ids,
      open: async (peer) => channelOf(peer, []),
      handle: (_, handler) => (hear = handler),
      onLink: () => () => {},
    },
    clock: time.clock(),
    log: silentLogger,
    siteKey: testKey(OBSERVER),
    version: "0.1.0",
    meshId: () => state.meshId,
    members: () => members,
    stateDigest: () => state.replica.stateDigest(),
  });
  presence.start();
  const mesh = state.meshId;
  if (mesh === undefined || hear === undefined) throw new Error("there is no mesh");
  const [heard, stateDigest, bootId] = [[], state.replica.stateDigest(), "00".repeat(16)];
  let words = 0;
  for (let counter = 1; counter <= DAY_MS / WORD_EVERY_MS; counter++) {
    for (const [index, site] of ids.entries()) {
      const key = keys[index] ?? testKey(OBSERVER);
      const word = { mesh, site, bootId, counter, heard, stateDigest, version: "0.1.0" };
      await hear(channelOf(site, [encodePresence(word, key)]));
      words += 1;
    }
    await time.advance(WORD_EVERY_MS);
  }
  const up = presence.seen().filter((each) => each.state === "up").length;
  if (up < sites) throw new Error(`only ${up} of ${sites} sites are up`);
  return { words, addedBytes: (await bytesOnDisk()) - before };
}

/** A channel on which a peer says these frames and takes everything. */
function channelOf(peer: SiteId, frames: Uint8Array[]): Channel {
  const nothing = async (): Promise<void> => {};
  return {
    peer,
    send: nothing,
    receive: async () => frames.shift(),
    end: nothing,
    abort: () => {},
  };
}

/** All files of the store. */
async function bytesOnDisk(): Promise<number> {
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const sizes = files
    .filter((file) => file.isFile())
    .map(async (file) => (await stat(join(file.parentPath, file.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function open(): Promise<State> {
  const store = await openLevelStore({ directory, log: silentLogger, ballastBytes: 0 });
  return State.open({ store, clock: systemClock, log: silentLogger, siteKey: testKey(OBSERVER) });
}

function seconds(fromMs: number): number {
  return (performance.now() - fromMs) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** VmRSS, after a pause in which the collector may work. */
async function residentBytes(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 500));
  const status = await readFile("/proc/self/status", "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

console.log(JSON.stringify(await MEASUREMENTS[what]?.()));
process.exit(0);
