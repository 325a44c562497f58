/**
 * A member that writes what it likes, and far too much of it.
 */
import type { Envelope } from "../../../protocol/logs/envelope.ts";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import type { RecordClass } from "../../../protocol/logs/record-class.ts";
import { MAX_LAMPORT, type RecordVersion } from "../../../protocol/logs/record-version.ts";
import { SHARED_ZONE, sharedKey } from "../found-mesh.ts";
import type { RawLog } from "../raw-log.ts";
import { service } from "../simulated-mesh.ts";
import type { SimulatedSite } from "../simulated-site.ts";
import type { Fault, World } from "../world.ts";
import { cutPower } from "./disk-faults.ts";

const FLOOD = 120;

export function bytesOf(envelopes: readonly Envelope[]): Uint8Array[] {
  return envelopes.map(({ bytes }) => bytes);
}

/** A number for the next entry of a log: mostly as an honest author has it, now and then the last. */
export function nextLamport({ random }: World, log: RawLog): number {
  if (random.chance(0.02)) return MAX_LAMPORT;
  return Math.min(log.lamport + 1 + random.below(20), MAX_LAMPORT);
}

/** A log of its own to go on with, begun when there is none. */
export async function someLog(world: World, to: readonly SimulatedSite[]): Promise<RawLog> {
  const { byzantine, random } = world;
  const known = byzantine.pickLog();
  if (known !== undefined && random.chance(0.8)) return known;
  const log = byzantine.open(random.pick(["site", "zone", "note"] as const), random.below(2));
  const first = log.snap(nextLamport(world, log));
  for (const site of to) await byzantine.push(site, [first.bytes]);
  return log;
}

/** A version of some record, which replaces what a site shows there. */
function change(world: World, log: RawLog, at: SimulatedSite): readonly [string, RecordVersion] {
  const { random } = world;
  const shared = log.options.class === "zone";
  const key = shared ? sharedKey(random.pick(["www", "mx", "ns"])) : `service/b${random.below(6)}`;
  const shown = at.state.view().get(log.options.class, key, shared ? undefined : log.author);
  const value: JsonValue = shared
    ? { ttl: 60, data: `b${random.below(250)}.${SHARED_ZONE}.`, view: "public" }
    : service(`b${random.below(1_000)}`);
  const supersedes = shown === undefined || random.chance(0.3) ? [] : [shown.versionId];
  return [key, { lamport: 1, supersedes, value: random.chance(0.15) ? undefined : value }];
}

export function update(world: World, log: RawLog, at: SimulatedSite): Envelope {
  const [key, version] = change(world, log, at);
  const number = nextLamport(world, log);
  return log.update(number, [[key, { ...version, lamport: number }]]);
}

export const hostileAuthor: readonly Fault[] = [
  {
    weight: 8,
    happen: async (world) => {
      const log = await someLog(world, world.up);
      const to = world.random.pick(world.up);
      const entries = [update(world, log, to)];
      if (world.random.chance(0.3)) entries.push(log.snap(nextLamport(world, log)));
      await world.byzantine.push(to, bytesOf(entries));
      world.sometimes.reached("an entry by hand");
    },
  },
  {
    weight: 2,
    happen: async (world) => {
      const log = await someLog(world, world.up);
      const to = world.random.pick(world.up);
      const entries = Array.from({ length: FLOOD }, () => update(world, log, to));
      await world.byzantine.push(to, bytesOf(entries));
      world.sometimes.reached("a flood of entries");
    },
  },
  {
    weight: 2,
    happen: async (world) => {
      const { random, byzantine } = world;
      const victims = [...world.archive.envelopes].filter(({ header }) => header.seq > 1);
      if (victims.length === 0) return;
      const victim = random.pick(victims);
      const { class: recordClass, part, seq, lamport: reached } = victim.header;
      const log = byzantine.open(recordClass as RecordClass, part);
      const retires = [{ log: victim.log, seq, lamport: reached, started: 1 }];
      const entry = log.snap(nextLamport(world, log), { retires });
      await byzantine.push(random.pick(world.up), [entry.bytes]);
      world.sometimes.reached("a snapshot that takes up another author's log");
    },
  },
  {
    weight: 4,
    happen: async (world) => {
      const log = await someLog(world, world.up);
      const victim = world.up.length < 3 ? undefined : world.random.pick(world.up);
      if (victim === undefined) return;
      const entries = [update(world, log, victim), update(world, log, victim)];
      for (const { bytes } of entries) {
        void victim.replica.receiveEnvelope(bytes, world.byzantine.site.id).catch(() => {});
      }
      // Some steps into it, so that each moment of taking an entry in is hit once.
      for (let step = world.random.below(60); step > 0; step--) await Promise.resolve();
      if (victim.isUp) cutPower(world, victim);
      world.sometimes.reached("a power cut while entries arrive");
    },
  },
];
