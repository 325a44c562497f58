/**
 * Presence: every 30 s, and soon after a change, this node tells its linked peers about itself.
 *
 * Words are kept in memory only. What they prove is decided by core/presence-table.ts.
 */
import { idOf, toHex, type MeshId, type SiteId } from "../../protocol/ids.ts";
import {
  decodePresence,
  encodePresence,
  MAX_COUNTER,
  type Presence as Word,
} from "../../protocol/logs/presence.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import type { Clock } from "../core/clock.ts";
import { PresenceTable } from "../core/status/presence-table.ts";
import type { Channel, ProtocolName, Transport } from "../core/transport.ts";
import type { Logger } from "../observe/log.ts";

const PRESENCE_PROTOCOL: ProtocolName = "/pleach/presence/1";

/** Bounds of the time between two words. */
const EVERY_MS = [24_000, 36_000] as const;
/**
 * A change is told so long after the last word, so that many changes make few words: at most one
 * of some 400 bytes to each peer in this time, 2 % of a line of 1 Mbit/s with 10 peers.
 */
const CHANGE_GAP_MS = 2000;
/** A new link waits this long for company: several often come up together. */
const LINK_DELAY_MS = 500;
const TIMEOUT_MS = 20_000;
/** A word of the peer itself and one of each member that it is linked to and we are not. */
const MAX_FRAMES = 256;

export interface PresenceOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Logger;
  readonly siteKey: SigningKey;
  /** Of the daemon, for example `0.1.0`. */
  readonly version: string;
  readonly meshId: () => MeshId | undefined;
  /** All sites of the mesh. Words about others are dropped. */
  readonly members: () => readonly SiteId[];
  /** As `Replica.stateDigest`. */
  readonly stateDigest: () => string;
}

/** What a node says about itself beyond being there. */
export interface PresenceFacts {
  /** SOA serials by zone name. */
  readonly zoneSerials?: Readonly<Record<string, number>>;
}

export interface Seen {
  readonly siteId: SiteId;
  readonly state: "up" | "unreachable";
  /** Milliseconds since the last proof of life; undefined when there was none since our start. */
  readonly ageMs: number | undefined;
  /** The rest is from its newest word, and undefined before the first. */
  readonly bootId: string | undefined;
  readonly version: string | undefined;
  readonly stateDigest: string | undefined;
  readonly zoneSerials: Readonly<Record<string, number>> | undefined;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #table: PresenceTable;
  readonly #bootId: string;
  readonly #endings: (() => void)[] = [];
  readonly #channels = new Set<Channel>();
  readonly #sending = new Set<SiteId>();
  #facts: PresenceFacts = {};
  #counter: number;
  #saidAtMs = -Infinity;
  #cancelNext: (() => void) | undefined;
  #nextMs = Infinity;
  #stopped = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#table = new PresenceTable(idOf<SiteId>(options.siteKey.publicKey));
    this.#bootId = toHex(options.clock.random(16));
    // Anywhere in the lower half: an echo of an earlier boot's counter is not taken for ours.
    const start = Buffer.from(options.clock.random(4)).readUInt32BE();
    this.#counter = start % Math.floor(MAX_COUNTER / 2);
  }

  /** Once, and before links come up. */
  start(): void {
    const { transport, clock } = this.#options;
    transport.handle(PRESENCE_PROTOCOL, (channel) => this.#listen(channel));
    const onLink = (peer: SiteId, up: boolean): void => {
      this.#table.link(peer, up, clock.monotonicMs());
      if (up) this.#plan(LINK_DELAY_MS);
    };
    this.#endings.push(transport.onLink(onLink));
    for (const peer of transport.links()) onLink(peer, true);
    this.#plan(EVERY_MS[1]);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelNext?.();
    for (const end of this.#endings.splice(0)) end();
    for (const channel of this.#channels) channel.abort("this node stops");
  }

  /** Says so in the next word, which comes soon if this is a change. */
  publish(facts: PresenceFacts): void {
    if (JSON.stringify(facts) === JSON.stringify(this.#facts)) return;
    this.#facts = facts;
    this.stateChanged();
  }

  /** The digest in the next word differs from that in the last, so the next one comes soon. */
  stateChanged(): void {
    const sinceMs = this.#options.clock.monotonicMs() - this.#saidAtMs;
    this.#plan(Math.max(LINK_DELAY_MS, CHANGE_GAP_MS - sinceMs));
  }

  /** All other members, in the order of `members`. */
  seen(): readonly Seen[] {
    const { members, clock } = this.#options;
    return this.#table.seen(members(), clock.monotonicMs()).map(({ word, ...site }) => ({
      ...site,
      bootId: word?.bootId,
      version: word?.version,
      stateDigest: word?.stateDigest,
      zoneSerials: word?.zoneSerials,
    }));
  }

  /**
   * Whether this node hears nobody though it should: then the fault is more likely here than with
   * everybody else.
   */
  isIsolated(): boolean {
    const seen = this.seen();
    return seen.length > 0 && seen.every(({ state }) => state === "unreachable");
  }

  #plan(delayMs: number): void {
    if (this.#stopped) return;
    const { clock } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs;
    if (dueMs >= this.#nextMs) return;
    this.#cancelNext?.();
    this.#nextMs = dueMs;
    this.#cancelNext = clock.after(delayMs, () => {
      this.#nextMs = Infinity;
      this.#sayToAll();
      const [high = 0, low = 0] = clock.random(2);
      this.#plan(EVERY_MS[0] + ((high * 256 + low) / 65_536) * (EVERY_MS[1] - EVERY_MS[0]));
    });
  }

  #sayToAll(): void {
    const { transport, clock, members } = this.#options;
    const mesh = this.#options.meshId();
    if (mesh === undefined) return;
    this.#saidAtMs = clock.monotonicMs();
    this.#counter = (this.#counter + 1) % MAX_COUNTER;
    this.#table.keep(members());
    this.#table.noteSent(this.#counter, this.#saidAtMs);
    const frame = encodePresence(this.#word(mesh), this.#options.siteKey);
    for (const peer of transport.links()) void this.#say(peer, frame);
  }

  #word(mesh: MeshId): Word {
    return {
      mesh,
      site: idOf<SiteId>(this.#options.siteKey.publicKey),
      bootId: this.#bootId,
      counter: this.#counter,
      heard: this.#table.echoes(this.#options.clock.monotonicMs()),
      stateDigest: this.#options.stateDigest(),
      version: this.#options.version,
      zoneSerials: this.#facts.zoneSerials,
    };
  }

  async #say(peer: SiteId, own: Uint8Array): Promise<void> {
    // A peer that takes nothing gets the next word, not a queue of old ones.
    if (this.#sending.has(peer)) return;
    this.#sending.add(peer);
    try {
      const channel = await this.#options.transport.open(peer, PRESENCE_PROTOCOL, TIMEOUT_MS);
      await this.#using(channel, async () => {
        for (const frame of [own, ...this.#table.framesFor(peer)]) await channel.send(frame);
        await channel.end();
        // The peer's end tells that it has read all; ours alone would leave the stream half open.
        await channel.receive(TIMEOUT_MS);
      });
    } catch (error) {
      // The link may be going down, which the transport tells by itself.
      this.#options.log.debug("A presence was not delivered", { peer, cause: String(error) });
    } finally {
      this.#sending.delete(peer);
    }
  }

  async #listen(channel: Channel): Promise<void> {
    await this.#using(channel, async () => {
      for (let frames = 0; frames < MAX_FRAMES; frames++) {
        const frame = await channel.receive(TIMEOUT_MS);
        if (frame === undefined) break;
        const word = decodePresence(frame);
        const isMember = this.#options.members().includes(word.site);
        if (word.mesh !== this.#options.meshId() || !isMember) continue;
        this.#table.hear(word, frame, channel.peer, this.#options.clock.monotonicMs());
      }
      await channel.end();
    });
  }

  async #using(channel: Channel, act: () => Promise<void>): Promise<void> {
    this.#channels.add(channel);
    try {
      await act();
    } catch (error) {
      channel.abort(error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      this.#channels.delete(channel);
    }
  }
}
