/**
 * What membership needs of the state and of the network; `main.ts` connects them.
 */
import type { EnvelopeId, LogId, MeshId, PeerKey, SiteId } from "../../protocol/ids.ts";
import type { ChainHead, SignerId } from "../../protocol/statements/statement-head.ts";
import type { SignedStatement } from "../../protocol/statements/statement.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { Channel } from "../core/transport.ts";

/** The statements of this node. */
export interface StatementPort {
  readonly siteId: SiteId;
  meshId(): MeshId | undefined;
  authority(): Authority;
  statements(): readonly SignedStatement[];
  /** What the next statement of a signer carries. */
  chainHead(by: SignerId): ChainHead;
  /** One more than the highest Lamport number of any statement known here. */
  nextLamport(): number;
  /** The end of each log of a site that is known here. */
  headsOf(site: SiteId): readonly {
    readonly log: LogId;
    readonly seq: number;
    readonly head: EnvelopeId;
  }[];
  /** Durable when it resolves; `refused` and `waiting` name the ones that were not taken. */
  add(statements: readonly SignedStatement[]): Promise<{
    readonly waiting: readonly string[];
    readonly refused: readonly { readonly id: string; readonly reason: string }[];
  }>;
  /** Tells of each change of the statements. Returns what ends the telling. */
  onChange(listener: () => void): () => void;
}

/** How somebody who is no member reaches the site that invited it. */
export interface IssuerPort {
  /**
   * Opens the join protocol to this very key.
   *
   * @param address - A multiaddr without `/p2p/…`.
   */
  open(issuer: SiteId, address: string, timeoutMs: number): Promise<Channel<PeerKey>>;
}

/** Where nodes can be reached, as multiaddrs. */
export interface AddressPort {
  /** Of this node, the best first. */
  own(): readonly string[];
  /** Of a member, with `/p2p/…`; empty when its address is not known. */
  ofMember(site: SiteId): readonly string[];
  /** The address with the peer's `/p2p/…` at its end. */
  withPeer(address: string, site: SiteId): string;
}
