/**
 * The last word to a site that is no member any more, over `/pleach/farewell/1`: why.
 *
 * Links end at once when a site is revoked or replaced, so it would never hear of it. Whoever sees the
 * other side as a former member sends the statements that prove it, one a frame, and ends; the other
 * believes nothing but these statements, each checked as if it came in a round. It is one channel
 * of its own, bounded in bytes and time; nothing else is said to a former member.
 */
import { encodeStatement, type SignedStatement } from "../../protocol/statements/statement.ts";
import type { PeerKey, SiteId } from "../../protocol/ids.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { Clock } from "../core/clock.ts";
import { endingProof } from "../core/authority/ending-proof.ts";
import type { Channel } from "../core/transport.ts";
import type { Logger } from "../observe/log.ts";

/** A former member that calls again and again costs a handshake, and a proof this seldom. */
const PROOF_EVERY_MS = 2 * 60_000;
/** The same member is heard out this seldom. */
const HEAR_EVERY_MS = 30_000;
/** For the next frame. */
const FRAME_MS = 10_000;
/** All statements of a mesh of a thousand sites take some 2 MiB. */
const MAX_HEARD_BYTES = 8 * 1024 * 1024;
const MAX_HEARD = 16_384;

export interface FarewellPort {
  readonly self: SiteId;
  authority(): Authority;
  statements(): readonly SignedStatement[];
  /** @returns Why it was refused as unsound, or undefined. */
  receive(statement: Uint8Array, from: SiteId): Promise<string | undefined>;
}

export class Farewell {
  readonly #port: FarewellPort;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #toldAtMs = new Map<PeerKey, number>();
  readonly #heardAtMs = new Map<PeerKey, number>();

  constructor(port: FarewellPort, clock: Clock, log: Logger) {
    this.#port = port;
    this.#clock = clock;
    this.#log = log;
  }

  /** Either side's half: tells a former member why, hears out a member. */
  async meet(channel: Channel<PeerKey>): Promise<void> {
    const { sites, endedSites } = this.#port.authority();
    if (endedSites.has(channel.peer as SiteId)) await this.#tell(channel);
    else if (sites.has(channel.peer as SiteId)) await this.#hear(channel as Channel);
    await channel.end();
  }

  async #tell(channel: Channel<PeerKey>): Promise<void> {
    if (!this.#isDue(this.#toldAtMs, channel.peer, PROOF_EVERY_MS)) return;
    const proof = endingProof(this.#port.statements(), channel.peer as SiteId);
    for (const statement of proof) await channel.send(encodeStatement(statement));
    this.#log.info("told a former member why it is none", {
      ...{ peer: channel.peer, statements: proof.length },
    });
  }

  /** What it says is as good as the statements: a member that lies proves nothing. */
  async #hear(channel: Channel): Promise<void> {
    const { self } = this.#port;
    if (this.#port.authority().endedSites.has(self)) return;
    if (!this.#isDue(this.#heardAtMs, channel.peer, HEAR_EVERY_MS)) return;
    const frames = await readAll(channel);
    // All at once and in order: the state computes the authority once for what comes together.
    const refusals = await Promise.all(
      frames.map((frame) => this.#port.receive(frame, channel.peer)),
    );
    const refused = refusals.filter((reason) => reason !== undefined).length;
    const ended = this.#port.authority().endedSites.get(self)?.ended.kind;
    const facts = { peer: channel.peer, statements: frames.length, refused };
    if (ended !== undefined) this.#log.error(`this site is ${ended}: no member any more`, facts);
    else if (frames.length > 0) this.#log.warn("a member took no hello and proved nothing", facts);
  }

  #isDue(times: Map<PeerKey, number>, peer: PeerKey, everyMs: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    const atMs = times.get(peer);
    if (atMs !== undefined && nowMs - atMs < everyMs) return false;
    times.set(peer, nowMs);
    return true;
  }
}

async function readAll(channel: Channel): Promise<readonly Uint8Array[]> {
  const frames: Uint8Array[] = [];
  let sizeBytes = 0;
  while (frames.length < MAX_HEARD && sizeBytes < MAX_HEARD_BYTES) {
    const frame = await channel.receive(FRAME_MS);
    if (frame === undefined) break;
    frames.push(frame);
    sizeBytes += frame.length;
  }
  return frames;
}
