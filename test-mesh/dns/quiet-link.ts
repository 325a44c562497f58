/**
 * A link without cables: responders that hear what they say to the group, themselves included, in
 * a time that a test turns.
 */
import { MdnsResponder } from "../../daemon/dns/mdns/mdns-responder.ts";
import type { Outgoing, Sender } from "../../daemon/dns/mdns/outgoing.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";

export interface Sent {
  readonly atMs: number;
  readonly from: string;
  readonly bytes: Uint8Array;
  readonly to: Outgoing["to"];
}

export class QuietLink {
  readonly sent: Sent[] = [];
  readonly #hosts = new Map<string, MdnsResponder>();
  readonly #random: SeededRandom;
  nowMs = 0;
  /** `SERVICE as LABEL at SITE`, as they are held. */
  readonly held: string[] = [];

  constructor(seed = 1) {
    this.#random = new SeededRandom(seed);
  }

  add(site: string): MdnsResponder {
    const responder = new MdnsResponder({
      site: () => site,
      random: () => Buffer.from(this.#random.bytes(4)).readUInt32LE() / 2 ** 32,
      onHeld: (service, label) => this.held.push(`${service} as ${label} at ${site}`),
    });
    this.#hosts.set(site, responder);
    return responder;
  }

  /** What a responder wants to send; the link carries it, and what comes of it. */
  carry(site: string, packets: readonly Outgoing[]): void {
    for (const { bytes, to } of packets) {
      this.sent.push({ atMs: this.nowMs, from: site, bytes, to });
      if (to !== "group" && !("group" in to)) continue;
      for (const [name, host] of this.#hosts) {
        this.carry(name, host.receive(bytes, this.sender(site), this.nowMs));
      }
    }
  }

  sender(site: string, port = 5353): Sender {
    const index = [...this.#hosts.keys()].indexOf(site) + 1;
    return { family: 4, address: `192.168.77.${index}`, port };
  }

  /** Moves on by so much. @returns What was sent on the way. */
  pass(durationMs: number): readonly Sent[] {
    const from = this.sent.length;
    const endMs = this.nowMs + durationMs;
    for (;;) {
      const [site, host] =
        [...this.#hosts].toSorted(([, a], [, b]) => a.wakeAtMs - b.wakeAtMs)[0] ?? [];
      if (site === undefined || host === undefined || host.wakeAtMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, host.wakeAtMs);
      this.carry(site, host.wake(this.nowMs));
    }
    this.nowMs = endMs;
    return this.sent.slice(from);
  }
}
