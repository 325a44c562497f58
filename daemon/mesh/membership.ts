/**
 * Who may connect, and what a connection may carry.
 *
 * Statements decide who is a member; `main.ts` fills the port. Three kinds of peer that are
 * no members get past the gate, each to one protocol: anyone to the join protocol while this node
 * has an open invitation, the recovery key of an owner to the recovery protocol, and who was a
 * member to the one that tells it so.
 */
import type { MeshId, PeerKey, SiteId } from "../../protocol/ids.ts";

/** What the mesh asks the state. Answers may change at any time; see `Mesh.membershipChanged`. */
export interface Membership {
  /** Whether the key is a site of this mesh now. */
  isMember(key: PeerKey): boolean;
  /** Whether the key is the recovery key of an owner of this mesh. */
  isRecoveryKey(key: PeerKey): boolean;
  /** Whether the key was a site of this mesh and is none any more. */
  isFormer(key: PeerKey): boolean;
  /** Whether somebody who is no member may speak the join protocol now. */
  joinOpen(): boolean;
  /** Undefined before the first GENESIS is known; no link comes up until then. */
  meshId(): MeshId | undefined;
}

/** A member to keep a link with. */
export interface RosterEntry {
  readonly siteId: SiteId;
  /** Multiaddrs, with or without `/p2p/…` at their end. Ones that cannot be read are passed over. */
  readonly addresses: readonly string[];
  /** Linked also in a mesh that is too large for all: it keeps data for us, or we for it. */
  readonly isPartner?: boolean;
}

/** The protocols that a peer who is no member can reach, each under its own condition. */
export const OUTSIDER_PROTOCOLS = [
  "/pleach/join/1",
  "/pleach/recover/1",
  "/pleach/farewell/1",
] as const;
export type OutsiderProtocol = (typeof OUTSIDER_PROTOCOLS)[number];

/** What a connection may carry: everything, one protocol that the peer opens, or nothing. */
export type Admission = "member" | "recovery" | "former" | "joiner" | "refused";

/**
 * What a peer that has proven `key` on a connection of its own may do.
 *
 * A recovery key stays one while an invitation is open, so that it never reaches the join protocol.
 */
export function admissionOf(membership: Membership, key: PeerKey): Admission {
  if (membership.isMember(key)) return "member";
  if (membership.isRecoveryKey(key)) return "recovery";
  if (membership.isFormer(key)) return "former";
  return membership.joinOpen() ? "joiner" : "refused";
}
