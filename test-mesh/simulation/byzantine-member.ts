/**
 * A member that keeps to no rule: it has a daemon like all others, and its key besides.
 */
import { encodeCbor } from "../../protocol/encoding/cbor.ts";
import { readEnvelope } from "../../protocol/logs/envelope.ts";
import { toHex, sha256, type LogId, type MeshId } from "../../protocol/ids.ts";
import type { RecordClass } from "../../protocol/logs/record-class.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import { decodeSyncMessage, encodeSyncMessage } from "../../protocol/messages/sync-message.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";
import { RawLog } from "./raw-log.ts";
import type { SimulatedSite } from "./simulated-site.ts";

const STATE = "/pleach/state/1";
const TIMEOUT_MS = 20_000;
/** A member that pushes more at once is slowed down; this one wants to be heard. */
const ITEMS_AT_ONCE = 64;

export class ByzantineMember {
  readonly site: SimulatedSite;
  readonly key: SigningKey;
  /** Logs that no daemon keeps. */
  readonly logs: RawLog[] = [];
  /** Logs of which it signed two entries for one place, or two snapshots after one. */
  readonly forked = new Set<LogId>();
  /** Hashes of what no honest node may ever hold. */
  readonly forbidden = new Map<string, string>();
  readonly #mesh: MeshId;
  readonly #random: SeededRandom;

  constructor(site: SimulatedSite, key: SigningKey, mesh: MeshId, random: SeededRandom) {
    this.site = site;
    this.key = key;
    this.#mesh = mesh;
    this.#random = random;
  }

  /** A new log of its own, not signed yet. */
  open(recordClass: RecordClass, part = 0): RawLog {
    const salt = this.#random.bytes(16);
    const log = new RawLog({ mesh: this.#mesh, key: this.key, class: recordClass, part, salt });
    this.logs.push(log);
    return log;
  }

  /** A log of its own that has entries, if there is one. */
  pickLog(): RawLog | undefined {
    const begun = this.logs.filter(({ seq }) => seq > 0);
    return begun.length === 0 ? undefined : this.#random.pick(begun);
  }

  /** Remembers that nobody may take these bytes for good. */
  forbid(bytes: Uint8Array, why: string): Uint8Array {
    this.forbidden.set(toHex(sha256(bytes)), why);
    return bytes;
  }

  /**
   * Pushes over the line if there is one; else the items get to the peer through others. Those who
   * take them say what they like: nobody listens.
   */
  async push(to: SimulatedSite, envelopes: readonly Uint8Array[]): Promise<void> {
    if (!to.isUp) return;
    const isLinked = this.site.isUp && this.site.transport.links().includes(to.id);
    if (isLinked && this.#random.chance(0.7)) return this.#pushByLine(to, envelopes);
    for (const bytes of envelopes) {
      if (to.isUp) void to.replica.receiveEnvelope(bytes, this.site.id).catch(() => {});
    }
  }

  /** As {@link push}, for statements. */
  async pushStatements(to: SimulatedSite, statements: readonly Uint8Array[]): Promise<void> {
    for (const bytes of statements) {
      if (to.isUp) void to.replica.receiveStatement(bytes, this.site.id).catch(() => {});
    }
    return Promise.resolve();
  }

  async #pushByLine(to: SimulatedSite, envelopes: readonly Uint8Array[]): Promise<void> {
    try {
      const channel = await this.site.transport.open(to.id, STATE, TIMEOUT_MS);
      const say = (message: Parameters<typeof encodeSyncMessage>[0]): Promise<void> =>
        channel.send(encodeSyncMessage(message));
      const zeros = "00".repeat(32);
      const hello = { v: 1, kind: "hello", use: "push", mesh: this.#mesh } as const;
      const more = { oldest: 1, newest: 1, features: [], statements: zeros, state: zeros };
      await say({ ...hello, ...more });
      for (let at = 0; at < envelopes.length; at += ITEMS_AT_ONCE) {
        const batch = envelopes.slice(at, at + ITEMS_AT_ONCE);
        await say({ v: 1, kind: "push", statements: [], envelopes: batch });
        const answer = await channel.receive(TIMEOUT_MS);
        if (answer === undefined || decodeSyncMessage(answer).kind !== "pushed") return;
      }
      await channel.end();
      await channel.receive(TIMEOUT_MS);
    } catch {
      // The line went, or the peer has had enough: the next lie comes on another day.
    }
  }
}

/** The bytes of an entry with another signature under the same header. */
export function resigned(bytes: Uint8Array, signature: Uint8Array): Uint8Array {
  const { headerBytes, payload } = readEnvelope(bytes);
  return encodeCbor({ v: 1, header: headerBytes, signature, payload });
}
