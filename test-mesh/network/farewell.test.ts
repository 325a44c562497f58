/** A site that is expelled hears why from those who hang up, over real links; and believes proofs only. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerKey, SiteId } from "../../protocol/ids.ts";
import { decodeStatement, type SignedStatement } from "../../protocol/statements/statement.ts";
import { authorize } from "../../daemon/core/authority/authorize.ts";
import { StatementSet } from "../../daemon/core/authority/statement-set.ts";
import { Farewell } from "../../daemon/membership/farewell.ts";
import { Mesh } from "../../daemon/mesh/mesh.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { Founding, testKey } from "../fakes/founding.ts";
import { rosterOf, until } from "./mesh-world.ts";

const FAREWELL = "/pleach/farewell/1";

/** A site with its own statements, composed as a daemon does it. */
class Site {
  readonly #set = new StatementSet();
  readonly #self: SiteId;
  readonly farewell: Farewell;
  mesh!: Mesh;

  private constructor(self: SiteId, statements: readonly SignedStatement[]) {
    this.#self = self;
    for (const each of statements) this.#set.add(each);
    const port = {
      self,
      authority: () => this.authority(),
      statements: () => this.#set.all(),
      receive: async (bytes: Uint8Array) => {
        try {
          this.#set.add(decodeStatement(bytes));
          return undefined;
        } catch (error) {
          return String(error);
        }
      },
    };
    this.farewell = new Farewell(port, systemClock, silentLogger);
  }

  static async start(
    name: string,
    statements: readonly SignedStatement[],
    listen: readonly string[],
  ): Promise<Site> {
    const siteKey = testKey(name);
    const [self] = [...authorize(statements).sites.values()].filter((each) => each.name === name);
    assert.ok(self !== undefined);
    const site = new Site(self.siteId, statements);
    site.mesh = await Mesh.start({
      ...{ siteKey, listen, announce: [], dht: false, clock: systemClock, log: silentLogger },
      membership: {
        isMember: (key) => site.authority().isMember(key),
        isRecoveryKey: () => false,
        isFormer: (key) => site.authority().endedSites.has(key as SiteId),
        joinOpen: () => false,
        meshId: () => site.authority().meshId,
      },
      hearFarewell: (channel) => site.farewell.meet(channel),
    });
    site.mesh.handleOutsider(FAREWELL, (channel) => site.farewell.meet(channel));
    return site;
  }

  authority() {
    return authorize(this.#set.all());
  }

  get ended(): string | undefined {
    return this.authority().endedSites.get(this.#self)?.ended.kind;
  }

  /** As `followState` does. */
  learn(statements: readonly SignedStatement[]): void {
    for (const each of statements) this.#set.add(each);
    for (const address of this.mesh.membershipChanged()) {
      void this.mesh
        .openOutsider(address, FAREWELL, 5_000)
        .then((channel) => this.farewell.meet(channel));
    }
  }
}

async function linked(dialledBy: "the expelled" | "the other") {
  const founding = new Founding();
  founding.enrol("quimper");
  const vannes = founding.enrol("vannes");
  const here = ["/ip4/127.0.0.1/tcp/0"];
  const isExpelled = dialledBy === "the expelled";
  // Whoever does not listen cannot be dialled.
  const other = await Site.start("quimper", founding.statements, isExpelled ? here : []);
  const expelled = await Site.start("vannes", founding.statements, isExpelled ? [] : here);
  const [from, to] = isExpelled ? [expelled, other] : [other, expelled];
  from.mesh.setRoster(rosterOf([to.mesh]));
  await until(() => [from, to].every(({ mesh }) => mesh.links().length === 1), 10_000);
  return { founding, vannes, other, expelled };
}

for (const dialledBy of ["the expelled", "the other"] as const) {
  test(`an expelled site hears why, where only ${dialledBy} can dial`, async () => {
    const { founding, vannes, other, expelled } = await linked(dialledBy);
    try {
      founding.epoch({ revokes: [{ site: vannes, logs: [] }] });
      other.learn(founding.statements);
      await until(() => other.mesh.links().length === 0, 1_000);
      await until(() => expelled.ended === "revoked", 5_000);
      await assert.rejects(expelled.mesh.open(other.mesh.self, "/pleach/state/1", 1_000));
    } finally {
      await Promise.all([other.mesh.stop(), expelled.mesh.stop()]);
    }
  });
}

test("a member that lies expels nobody: what it sends proves nothing", async () => {
  const { vannes, other, expelled } = await linked("the other");
  try {
    const forged = new Founding();
    const stranger = testKey("nobody");
    const epoch = { by: stranger, revokes: [{ site: vannes, logs: [] }], chains: [] };
    forged.epoch(epoch);
    const lies = forged.statements.at(-1);
    assert.ok(lies !== undefined);
    const say = async (frames: readonly Uint8Array[]): Promise<void> => {
      const channel = await other.mesh.open(expelled.mesh.self, FAREWELL, 5_000);
      for (const frame of frames) await channel.send(frame);
      await channel.end();
      await channel.receive(5_000);
    };
    await say([lies.bytes, Uint8Array.of(1, 2, 3)]);
    assert.equal(expelled.ended, undefined);
    assert.deepEqual(expelled.mesh.links(), [other.mesh.self] satisfies PeerKey[]);
    assert.deepEqual(other.mesh.links(), [expelled.mesh.self] satisfies PeerKey[]);
  } finally {
    await Promise.all([other.mesh.stop(), expelled.mesh.stop()]);
  }
});
