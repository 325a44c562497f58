/**
 * Who gets a place at the door: libp2p's connection gater.
 *
 * Before its key is proven, a caller is known by its address only. Addresses of members have
 * places of their own, so a flood from elsewhere keeps no member out; among strangers the oldest
 * caller that has not proven a key makes room for the newest, so that slow ones cannot sit there.
 * After that the key decides.
 */
import type { ConnectionGater, MultiaddrConnection, PeerId } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { PeerKey } from "../../protocol/ids.ts";
import type { Clock } from "../core/clock.ts";
import { admissionOf, type Admission, type Membership } from "./membership.ts";
import { peerKeyOf } from "./peer-id.ts";

/** Callers that have not proven a key yet: from addresses of no member, in all. */
const MAX_PENDING_STRANGERS = 64;
/** The same from one address, or one IPv6 /64. */
const MAX_PENDING_OF_STRANGER = 8;
/** Several members may share one address, behind one router. */
const MAX_PENDING_OF_MEMBER_HOST = 64;
/** A handshake costs some 5 ms of a small processor: at most a tenth of it goes to strangers. */
const STRANGERS_PER_SECOND = 20;
const STRANGERS_AT_ONCE = 60;
/** Connections of outsiders that are let in, in all and for each key. */
const MAX_OUTSIDERS = { joiner: 16, recovery: 16, former: 8 } as const;
const MAX_OUTSIDER_CONNECTIONS_OF_KEY = 2;
/** A member has one link, and for moments a second one while both sides dial. */
const MAX_CONNECTIONS_OF_MEMBER = 4;

interface Guest {
  readonly key: PeerKey;
  readonly admission: Admission;
}

export class Doorkeeper implements ConnectionGater {
  readonly #clock: Clock;
  readonly #membership: Membership;
  /** Peers that we are dialling although they are no fellow members, and how often at once. */
  readonly #wanted = new Map<PeerKey, number>();
  #memberHosts: ReadonlySet<string> = new Set();
  /** Oldest first. */
  readonly #pending = new Map<MultiaddrConnection, string>();
  readonly #guests = new Map<MultiaddrConnection, Guest>();
  #tokens = STRANGERS_AT_ONCE;
  #tokensAtMs = 0;

  constructor(clock: Clock, membership: Membership) {
    this.#clock = clock;
    this.#membership = membership;
    this.#tokensAtMs = clock.monotonicMs();
  }

  /** The addresses whose callers have places of their own. */
  expectFrom(addresses: Iterable<Multiaddr>): void {
    const hosts = new Set<string>();
    for (const address of addresses) {
      const host = hostOf(address);
      if (host !== undefined) hosts.add(host);
    }
    this.#memberHosts = hosts;
  }

  /** Lets `dial` reach a peer that is no fellow member. */
  async wanting<Result>(key: PeerKey, dial: () => Promise<Result>): Promise<Result> {
    this.#wanted.set(key, (this.#wanted.get(key) ?? 0) + 1);
    try {
      return await dial();
    } finally {
      const left = (this.#wanted.get(key) ?? 1) - 1;
      if (left > 0) this.#wanted.set(key, left);
      else this.#wanted.delete(key);
    }
  }

  denyDialPeer = (peerId: PeerId): boolean => !this.#mayDial(peerId);

  denyOutboundEncryptedConnection = (peerId: PeerId): boolean => !this.#mayDial(peerId);

  /** The peer store keeps addresses of members only. */
  filterMultiaddrForPeer = (peerId: PeerId): boolean => {
    const key = peerKeyOf(peerId);
    return key !== undefined && this.#membership.isMember(key);
  };

  denyInboundConnection = (raw: MultiaddrConnection): boolean => {
    const host = hostOf(raw.remoteAddr) ?? "";
    const fromMember = this.#memberHosts.has(host);
    const sameHost = [...this.#pending.values()].filter((other) => other === host).length;
    if (sameHost >= (fromMember ? MAX_PENDING_OF_MEMBER_HOST : MAX_PENDING_OF_STRANGER)) {
      return true;
    }
    if (!fromMember) {
      if (!this.#takeToken()) return true;
      this.#makeRoom();
    }
    this.#pending.set(raw, host);
    raw.addEventListener("close", () => {
      this.#pending.delete(raw);
      this.#guests.delete(raw);
    });
    return false;
  };

  denyInboundEncryptedConnection = (peerId: PeerId, raw: MultiaddrConnection): boolean => {
    this.#pending.delete(raw);
    const key = peerKeyOf(peerId);
    if (key === undefined) return true;
    const admission = admissionOf(this.#membership, key);
    const same = [...this.#guests].filter(([, guest]) => guest.key === key);
    switch (admission) {
      case "refused":
        return true;
      case "member": {
        const [oldest] = same;
        if (same.length >= MAX_CONNECTIONS_OF_MEMBER) oldest?.[0].abort(new Error("too many"));
        break;
      }
      case "joiner":
      case "former":
      case "recovery": {
        const kind = [...this.#guests.values()].filter((guest) => guest.admission === admission);
        if (kind.length >= MAX_OUTSIDERS[admission]) return true;
        if (same.length >= MAX_OUTSIDER_CONNECTIONS_OF_KEY) return true;
      }
    }
    this.#guests.set(raw, { key, admission });
    return false;
  };

  #mayDial(peerId: PeerId): boolean {
    const key = peerKeyOf(peerId);
    return key !== undefined && (this.#membership.isMember(key) || this.#wanted.has(key));
  }

  #takeToken(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const refill = ((nowMs - this.#tokensAtMs) / 1000) * STRANGERS_PER_SECOND;
    this.#tokens = Math.min(STRANGERS_AT_ONCE, this.#tokens + refill);
    this.#tokensAtMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #makeRoom(): void {
    const strangers = [...this.#pending].filter(([, host]) => !this.#memberHosts.has(host));
    const [oldest] = strangers;
    if (strangers.length < MAX_PENDING_STRANGERS || oldest === undefined) return;
    this.#pending.delete(oldest[0]);
    oldest[0].abort(new Error("made room for a newer caller"));
  }
}

/** The IP address as text; of IPv6 the /64, which one customer has whole. */
function hostOf(address: Multiaddr): string | undefined {
  for (const { name, value } of address.getComponents()) {
    if (name === "ip4") return value;
    if (name === "ip6" && value !== undefined) return prefixOf(value);
  }
  return undefined;
}

function prefixOf(ip6: string): string {
  const [front = "", back] = ip6.split("::");
  const head = front === "" ? [] : front.split(":");
  const tail = back === undefined || back === "" ? [] : back.split(":");
  const zeros = back === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array.from({ length: zeros }, () => "0"), ...tail];
  return groups.slice(0, 4).join(":");
}
