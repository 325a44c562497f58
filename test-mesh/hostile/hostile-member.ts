/**
 * A member gone bad: enrolled like any other, with a link like any other, and then without any rule.
 *
 * It takes the place of a site's daemon: its key, its address, what it had heard. What it sends
 * goes over TCP, Noise and yamux by the project's own mesh and messages.
 */
import { join } from "node:path";
import { openSiteKey } from "../../daemon/data-directory.ts";
import type { Channel } from "../../daemon/core/transport.ts";
import { Mesh } from "../../daemon/mesh/mesh.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { openLevelStore } from "../../daemon/state/level-store.ts";
import { State } from "../../daemon/state/state.ts";
import { decodeEnvelope, type Envelope } from "../../protocol/logs/envelope.ts";
import type { MeshId, SiteId } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import type { SignedStatement } from "../../protocol/statements/statement.ts";
import {
  decodeSyncMessage,
  encodeSyncMessage,
  type SyncHello,
  type SyncMessage,
} from "../../protocol/messages/sync-message.ts";
import { SHARD_PROTOCOL } from "../../protocol/messages/shard-message.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const STATE = "/pleach/state/1";
/** What a member serves, or its links are dropped for being half of one. */
const SERVED = [STATE, "/pleach/presence/1", SHARD_PROTOCOL] as const;
const WAIT_MS = 60_000;

/** What the box knew when it was taken over. */
export interface Loot {
  readonly key: SigningKey;
  readonly meshId: MeshId;
  readonly statements: readonly SignedStatement[];
  /** Everything that it held, in the order of logs. */
  readonly entries: readonly Envelope[];
  readonly siteNamed: (name: string) => SiteId;
}

export class HostileMember {
  readonly loot: Loot;
  readonly #mesh: Mesh;

  private constructor(loot: Loot, mesh: Mesh) {
    this.loot = loot;
    this.#mesh = mesh;
  }

  /**
   * Stops the daemon of a member and links with the others in its name.
   *
   * @param write - Writes records as the member.
   */
  static async takeOver(
    site: TestSite,
    others: readonly TestSite[],
    write: (state: State) => Promise<unknown> = async () => {},
  ): Promise<HostileMember> {
    await site.stop();
    const { loot, authority } = await plunder(site, write);
    const mesh = await Mesh.start({
      siteKey: loot.key,
      listen: [`/ip4/${site.address}/tcp/${site.meshPort}`],
      announce: [],
      dht: false,
      membership: {
        isMember: (key) => authority.isMember(key),
        isRecoveryKey: () => false,
        isFormer: () => false,
        joinOpen: () => false,
        meshId: () => authority.meshId,
      },
      clock: systemClock,
      log: silentLogger,
    });
    for (const protocol of SERVED) mesh.handle(protocol, turnAway);
    const roster = others.map(({ name, address, meshPort }) => ({
      siteId: loot.siteNamed(name),
      addresses: [`/ip4/${address}/tcp/${meshPort}`],
    }));
    mesh.setRoster(roster);
    await waitFor(
      "links of the hostile member",
      WAIT_MS,
      () => mesh.links().length === others.length,
    );
    return new HostileMember(loot, mesh);
  }

  openShards(to: SiteId): Promise<Channel> {
    return this.#mesh.open(to, SHARD_PROTOCOL, WAIT_MS);
  }

  /** Opens a channel of replication and says hello. */
  async open(to: SiteId, use: SyncHello["use"]): Promise<Channel> {
    const channel = await this.#mesh.open(to, STATE, WAIT_MS);
    const zeros = "00".repeat(32);
    await say(channel, {
      ...{ v: 1, kind: "hello", use, mesh: this.loot.meshId, oldest: 1, newest: 1 },
      ...{ features: [], statements: zeros, state: zeros },
    } as SyncHello);
    return channel;
  }

  /** Pushes entries and statements as bytes. @returns What the other side made of each. */
  async push(
    to: SiteId,
    envelopes: readonly Uint8Array[],
    statements: readonly Uint8Array[] = [],
  ): Promise<readonly string[]> {
    const channel = await this.open(to, "push");
    const results: string[] = [];
    try {
      for (const frame of frames(envelopes, statements)) {
        await say(channel, { v: 1, kind: "push", ...frame });
        const bytes = await channel.receive(WAIT_MS);
        const answer = bytes === undefined ? undefined : decodeSyncMessage(bytes);
        if (answer?.kind !== "pushed")
          throw new Error(`not pushed but ${answer?.kind ?? "the end"}`);
        results.push(...answer.results);
      }
    } finally {
      await channel.end().catch(() => {});
    }
    return results;
  }

  stop(): Promise<void> {
    return this.#mesh.stop();
  }
}

export function say(channel: Channel, message: SyncMessage): Promise<void> {
  return channel.send(encodeSyncMessage(message));
}

async function plunder(site: TestSite, write: (state: State) => Promise<unknown>) {
  const key = await openSiteKey(site.dataDirectory, () => {
    throw new Error(`${site.name} has no key`);
  });
  const directory = join(site.dataDirectory, "state");
  const store = await openLevelStore({ directory, log: silentLogger });
  const state = await State.open({ store, clock: systemClock, log: silentLogger, siteKey: key });
  const authority = state.authority();
  const { meshId } = state;
  if (meshId === undefined) throw new Error(`${site.name} is in no mesh`);
  await write(state);
  const entries: Envelope[] = [];
  for (const { log } of state.logHeads()) {
    for await (const bytes of state.replica.envelopesFrom(log, 0))
      entries.push(decodeEnvelope(bytes));
  }
  const loot: Loot = {
    ...{ key, meshId, entries },
    statements: state.statements(),
    siteNamed: (name) => {
      const named = authority.siteNamed(name);
      if (named === undefined) throw new Error(`nobody is named ${name}`);
      return named.siteId;
    },
  };
  await state.close();
  await store.close();
  return { loot, authority };
}

/** Takes what the others ask, and tells them nothing. */
async function turnAway(channel: Channel): Promise<void> {
  await channel.receive(WAIT_MS);
  await channel.end();
}

/** As many items as fit into a frame, statements first. */
function* frames(envelopes: readonly Uint8Array[], statements: readonly Uint8Array[]) {
  if (statements.length > 0) yield { statements: [...statements], envelopes: [] };
  let frame: Uint8Array[] = [];
  let sizeBytes = 0;
  for (const bytes of envelopes) {
    if (frame.length > 0 && (sizeBytes + bytes.length > 200_000 || frame.length >= 256)) {
      yield { statements: [], envelopes: frame };
      frame = [];
      sizeBytes = 0;
    }
    frame.push(bytes);
    sizeBytes += bytes.length;
  }
  if (frame.length > 0) yield { statements: [], envelopes: frame };
}
