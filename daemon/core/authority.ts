/**
 * Who belongs to the mesh and who may do what: the shape of the answer.
 *
 * It is computed by authorize.ts, a pure function of the set of statements. Nothing here depends
 * on a clock or on the order of arrival.
 */
import type {
  EnvelopeId,
  LogId,
  MeshId,
  OperatorId,
  OwnerId,
  PeerKey,
  SetId,
  SiteId,
  StatementId,
} from "../../protocol/ids.ts";
import type { ClassName, SharedClass } from "../../protocol/record-class.ts";
import type { FailureDomains } from "../../protocol/site-statement.ts";
import type { SignerId } from "../../protocol/statement-head.ts";

export interface Site {
  readonly siteId: SiteId;
  /** A DNS label, unique among the members. */
  readonly name: string;
  readonly org: string;
  readonly place: string;
  readonly domains: FailureDomains;
  readonly classes: ReadonlySet<ClassName>;
  /** Who enrolled it. */
  readonly operator: OperatorId;
  /** The site whose place it took. */
  readonly replaces: SiteId | undefined;
  readonly statement: StatementId;
}

/** A site that another one has replaced: no member, but what it wrote up to its heads stays. */
export interface EndedSite extends Site {
  readonly replacedBy: SiteId;
  /** The last entry of each log that still counts. Logs not named do not count at all. */
  readonly heads: ReadonlyMap<LogId, { readonly seq: number; readonly head: EnvelopeId }>;
}

export interface Owner {
  readonly ownerId: OwnerId;
  /** The key O that signs for it now. */
  readonly sign: OwnerId;
  /** The X25519 key B that epoch keys are sealed to (32 bytes). */
  readonly box: Uint8Array;
  readonly recovery: PeerKey;
  readonly name: string;
  readonly org: string;
  readonly country: string;
  readonly statement: StatementId;
}

export interface Grant {
  readonly site: SiteId;
  readonly class: SharedClass;
  /** What stands before the first slash of the keys; null: all keys. */
  readonly selector: string | null;
  readonly operator: OperatorId;
}

export interface Delegation {
  readonly owner: OwnerId;
  /** Null: every set that the site starts. */
  readonly set: SetId | null;
  readonly site: SiteId;
  readonly lockDays: number;
  readonly statement: StatementId;
}

/** Statements of one signer at one place of its chain: it lost track, or a key was copied. */
export interface SignerFork {
  readonly by: SignerId;
  readonly seq: number;
  readonly ids: readonly StatementId[];
}

export interface Authority {
  readonly meshId: MeshId | undefined;
  /** The name that people gave the mesh; empty before there is one. */
  readonly meshName: string;
  readonly operators: ReadonlyMap<OperatorId, { readonly name: string }>;
  /** How many operators an epoch needs. */
  readonly threshold: number;
  /** The members. */
  readonly sites: ReadonlyMap<SiteId, Site>;
  readonly endedSites: ReadonlyMap<SiteId, EndedSite>;
  readonly owners: ReadonlyMap<OwnerId, Owner>;
  readonly grants: readonly Grant[];
  readonly delegations: readonly Delegation[];
  /** Statements that are sound but have no effect, with the reason in words. */
  readonly idle: ReadonlyMap<StatementId, string>;
  readonly forks: readonly SignerFork[];

  /** Whether a record under this key counts when this site, member or ended, wrote it. */
  mayWrite(site: SiteId, recordClass: ClassName, key: string): boolean;
  /** Whether a site may write anything at all in a class. */
  mayWriteClass(site: SiteId, recordClass: ClassName): boolean;
  /**
   * The one site that may write a data set. Undefined when no delegation covers it, and when
   * only ones without a set do and there are several: then {@link delegationFor} answers for
   * each site, and the site that started the set holds it.
   */
  delegatedSite(owner: OwnerId, set: SetId): SiteId | undefined;
  /** What lets this site write this set of this owner, if anything does. */
  delegationFor(owner: OwnerId, set: SetId, site: SiteId): Delegation | undefined;
  isMember(peer: PeerKey): boolean;
  ownerOfRecovery(peer: PeerKey): Owner | undefined;
  siteNamed(name: string): Site | undefined;
}
