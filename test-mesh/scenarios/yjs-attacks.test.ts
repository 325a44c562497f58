/**
 * The known attacks on Yjs, and others on signed logs, by a member against real daemons: each is
 * refused and named in the log of every daemon, and the victim goes on as if nothing had been.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { serviceResult, servicesShape } from "../../daemon/control/shapes-inventory.ts";
import { statusShape } from "../../daemon/control/shapes-status.ts";
import { clientIdOf, type Envelope } from "../../protocol/logs/envelope.ts";
import { idOf, sha256, type MeshId } from "../../protocol/ids.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { withMesh } from "../harness.ts";
import { ENVELOPE_ATTACKS, malleated } from "../hostile/envelope-attacks.ts";
import { FreeLog } from "../hostile/free-log.ts";
import { HostileMember } from "../hostile/hostile-member.ts";
import { honest, YJS_ATTACKS, type Target } from "../hostile/yjs-attacks.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const SEEN_WITHIN_MS = 10_000;
/** Above what a daemon has before the attacks. */
const MOST_GROWTH_BYTES = 160 * 1024 * 1024;

test("a hacked member can damage nothing but its own logs", async (t) => {
  await withMesh(async (mesh) => {
    const [quimper, brest, thief] = await mesh.form(["quimper", "brest", "thief"]);
    assert.ok(quimper !== undefined && brest !== undefined && thief !== undefined);
    const victims = [quimper, brest];
    await writes(quimper, [...victims, thief]);
    const hostile = await HostileMember.takeOver(thief, victims);
    try {
      const attack = new AttackRun(hostile, victims);
      const before = await Promise.all(victims.map(residentBytes));
      for (const { name, payload, because } of YJS_ATTACKS) {
        await t.test(`payload: ${name}`, () => attack.payload(name, payload, because));
      }
      for (const { name, make, because } of ENVELOPE_ATTACKS) {
        await t.test(`entry: ${name}`, () => attack.entry(name, make, because));
      }
      await t.test("flipped bits and cut ends of what the thief itself signed", () =>
        attack.noise(),
      );
      await t.test("a flood of entries that wait for one that never comes", () => attack.flood());
      await t.test("logs as large as logs may be", () => attack.fill());
      await t.test("the daemons did not grow, and start again with the same view", async () => {
        for (const [index, site] of victims.entries()) {
          const grown = (await residentBytes(site)) - (before[index] ?? 0);
          t.diagnostic(`${site.name} grew by ${Math.round(grown / 1024 / 1024)} MiB`);
          assert.ok(grown < MOST_GROWTH_BYTES, `${site.name} grew by ${grown} bytes`);
        }
        await waitFor("equal views", SEEN_WITHIN_MS, async () => {
          const shown = await Promise.all(victims.map(viewHash));
          return new Set(shown).size === 1;
        });
        for (const site of victims) {
          assert.equal(await site.stop(), 0);
          await site.start();
        }
        await writes(quimper, victims);
      });
    } finally {
      await hostile.stop();
    }
  });
});

class AttackRun {
  readonly #hostile: HostileMember;
  readonly #victims: readonly TestSite[];
  #part = 0;

  constructor(hostile: HostileMember, victims: readonly TestSite[]) {
    this.#hostile = hostile;
    this.#victims = victims;
  }

  /** An update in a log of the thief's own that began as any other. */
  async payload(
    name: string,
    payload: (target: Target) => { bytes: Uint8Array; clockAfter: number },
    because: RegExp,
  ): Promise<void> {
    const log = this.#log(name);
    const start = [log.snapshot(), log.update(honest("mine", "fine"))];
    const made = payload({ client: log.clientId, clock: log.clock, ...this.#victim() });
    const attack = log.sign(made);
    await this.#expect([...start.map(() => "stored"), "refused"], [...start, attack], because);
  }

  async entry(
    name: string,
    make: (typeof ENVELOPE_ATTACKS)[number]["make"],
    because: RegExp,
  ): Promise<void> {
    const { key, entries } = this.#hostile.loot;
    const victim = entries.findLast(({ header }) => header.author === this.#quimper());
    assert.ok(victim !== undefined);
    const log = this.#log(name);
    const elsewhere = new FreeLog(key, idOf<MeshId>(sha256("another mesh")), name);
    const made = make({ log, key, victim, elsewhere });
    const expected = made.map((_, index) => (index < made.length - 1 ? "stored" : "refused"));
    await this.#expect(expected, made, because);
  }

  async noise(): Promise<void> {
    const random = new SeededRandom(7);
    const sent: Uint8Array[] = [];
    for (let round = 0; round < 40; round++) {
      const log = this.#log(`noise ${round}`);
      const start = log.snapshot();
      const whole = log.update(honest("mine", "fine"), honest("other", { list: [1, "two"] }));
      const { payload } = whole;
      const cut = payload.subarray(0, random.below(payload.length));
      const flipped = Uint8Array.from(payload);
      const at = random.below(payload.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
      this.#part -= 1;
      const again = this.#log(`noise ${round}`);
      again.snapshot();
      const { clockAfter } = whole.header;
      sent.push(
        start.bytes,
        again.sign({ bytes: round % 2 === 0 ? cut : flipped, clockAfter }).bytes,
      );
      sent.push(whole.bytes.subarray(0, random.below(whole.bytes.length)), malleated(whole));
    }
    await this.#push(sent);
  }

  async flood(): Promise<void> {
    const log = this.#log("flood");
    log.snapshot();
    log.update(honest("never", "sent"));
    const waiting = Array.from({ length: 2_000 }, (_, i) =>
      log.update(honest(`k${i % 10}`, "x".repeat(2_000))),
    );
    for (const results of await this.#push(waiting.map(({ bytes }) => bytes))) {
      assert.ok(results.includes("kept") && results.includes("refused"));
      assert.ok(!results.includes("stored"));
    }
  }

  async fill(): Promise<void> {
    const snapshots = Array.from({ length: 8 }, (_, index) => {
      const records = Array.from({ length: 2_000 }, (__, i) => honest(`${index}/${i}`, i));
      return this.#log(`fill ${index}`).snapshot(records);
    });
    for (const results of await this.#push(snapshots.map(({ bytes }) => bytes))) {
      assert.ok(results.every((result) => result === "stored"));
    }
  }

  async #expect(
    expected: readonly string[],
    entries: readonly (Envelope | Uint8Array)[],
    because: RegExp,
  ) {
    const bytes = entries.map((entry) => (entry instanceof Uint8Array ? entry : entry.bytes));
    for (const [index, results] of (await this.#push(bytes)).entries()) {
      assert.equal(results.at(-1), "refused");
      // A fork that the first has proved ends the log at the others before they get all of it.
      if (index === 0) assert.deepEqual(results, expected);
    }
    for (const site of this.#victims) {
      await waitFor(`${String(because)} in the log of ${site.name}`, SEEN_WITHIN_MS, async () =>
        (await refusals(site)).some((line) => because.test(line)),
      );
    }
  }

  /** Sends to every victim by itself; then the first one writes, and all see it. */
  async #push(entries: readonly Uint8Array[]): Promise<readonly (readonly string[])[]> {
    const all: (readonly string[])[] = [];
    for (const site of this.#victims) {
      all.push(await this.#hostile.push(this.#hostile.loot.siteNamed(site.name), entries));
    }
    const [first] = this.#victims;
    assert.ok(first !== undefined);
    await writes(first, this.#victims);
    return all;
  }

  /** Each in a part of its own, so that the thief's logs do not crowd out one another. */
  #log(name: string): FreeLog {
    const { key, meshId } = this.#hostile.loot;
    return new FreeLog(key, meshId, name, { part: this.#part++ % 256 });
  }

  #quimper() {
    return this.#hostile.loot.siteNamed("quimper");
  }

  #victim(): { victim: number; victimClock: number } {
    const { entries } = this.#hostile.loot;
    const last = entries.findLast(({ header }) => header.author === this.#quimper());
    assert.ok(last !== undefined);
    const start = entries.findLast(
      ({ log, header }) =>
        log === last.log && header.kind === "SNAP" && header.seq <= last.header.seq,
    );
    const victim = clientIdOf(last.log, start?.header.seq ?? 1);
    return { victim, victimClock: last.header.clockAfter };
  }
}

let written = 0;

/** A site writes, and every daemon shows it. */
async function writes(site: TestSite, all: readonly TestSite[]): Promise<void> {
  const name = `s${written++}`;
  const service = { name, addresses: ["192.0.2.1"], ports: [], maintainers: [] };
  await site.client.put("/v1/services", { replace: true, service }, serviceResult);
  for (const each of all) {
    await waitFor(`${name} at ${each.name}`, SEEN_WITHIN_MS, async () => {
      const { services } = await each.client.get("/v1/services", servicesShape);
      return services.some((shown) => shown.name === name && shown.site === site.name);
    });
  }
}

/** The lines about refusals that name the thief. */
async function refusals(site: TestSite): Promise<readonly string[]> {
  const lines = (await readFile(site.logFile, "utf8")).split("\n");
  return lines.filter(
    (line) =>
      /was refused/.test(line) &&
      /(author|from|signer)=thief /.test(line) &&
      /because="it /.test(line),
  );
}

async function viewHash(site: TestSite): Promise<string> {
  const { viewHash: hash } = await site.client.get("/v1/status", statusShape);
  assert.ok(hash !== null);
  return hash;
}

async function residentBytes(site: TestSite): Promise<number> {
  const status = await readFile(`/proc/${site.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
