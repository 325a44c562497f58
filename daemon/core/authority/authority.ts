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
} from "../../../protocol/ids.ts";
import type { EpochBody } from "../../../protocol/statements/epoch-statement.ts";
import type { ClassName, SharedClass } from "../../../protocol/logs/record-class.ts";
import type { FailureDomains } from "../../../protocol/statements/site-statement.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import type { SignerId } from "../../../protocol/statements/statement-head.ts";

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

/** The last entry of a log that may count. */
export interface LogEnd {
  readonly seq: number;
  readonly head: EnvelopeId;
}

/**
 * A site that is no member any more; what it wrote up to its heads stays. Of several decisions the
 * kind is the gravest and the heads are the lowest.
 */
export interface EndedSite extends Site {
  readonly ended:
    | { readonly kind: "revoked"; readonly epoch: StatementId }
    | { readonly kind: "replaced"; readonly by: SiteId }
    | { readonly kind: "left" };
  /** The last entry of each log that still counts. Logs not named do not count at all. */
  readonly heads: ReadonlyMap<LogId, LogEnd>;
}

/** A log with two entries at one place. */
export interface ForkedLog {
  readonly author: SiteId;
  /** The last entry before the fork: 0 and undefined when nothing lies before it. */
  readonly lastSeq: number;
  readonly lastHead: EnvelopeId | undefined;
  readonly proof: StatementId;
}

/** An EPOCH that does not count, or not alone. */
export interface Proposal {
  readonly id: StatementId;
  readonly body: EpochBody;
  /** Who may vote and has; sorted. */
  readonly votes: readonly SignerId[];
  /** Votes of operators that it needs. */
  readonly needed: number;
  /** Sites that acknowledged it or an epoch that goes on from it; sorted. */
  readonly acks: readonly SiteId[];
  /**
   * - `open`: it can still get the votes that it needs.
   * - `contested`: it has them, and so has another one of its number.
   * - `outvoted`: another one of its number counts.
   * - `invalid`: it can never count.
   */
  readonly status: "open" | "contested" | "outvoted" | "invalid";
  /** Why, in words. */
  readonly reason: string;
}

/** A SUSPEND that nothing has ended. */
export interface Suspension {
  readonly id: StatementId;
  readonly key: SiteId | OperatorId;
  readonly by: OperatorId;
  /** A site: the ends of its logs as the operator knew them. */
  readonly logs: readonly LogHead[];
  /** An operator: the end of its chain as the other one knew it. */
  readonly chain: { readonly seq: number; readonly head: StatementId } | null;
}

/** What a site wrote under a right that was taken back and not given anew. */
export interface EndedGrant {
  readonly site: SiteId;
  readonly class: SharedClass;
  readonly selector: string | null;
  /** The last entry of each log that counts for it. Logs not named do not count. */
  readonly heads: ReadonlyMap<LogId, LogEnd>;
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
  readonly statement: StatementId;
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
  /** The epoch that counts: GENESIS is number 0. While several do, the rights are what all give. */
  readonly epoch: {
    readonly n: number;
    readonly ids: readonly (StatementId | MeshId)[];
    readonly contested: boolean;
    /** Who may vote for the next epoch: it needs the threshold of each of these. */
    readonly parents: readonly {
      readonly id: StatementId | MeshId;
      readonly operators: ReadonlyMap<OperatorId, { readonly name: string }>;
      readonly threshold: number;
      readonly recovery: { readonly keys: readonly PeerKey[]; readonly threshold: number };
    }[];
  };
  readonly operators: ReadonlyMap<OperatorId, { readonly name: string }>;
  /** How many operators an epoch needs; while several count, the most that one of them asks for. */
  readonly threshold: number;
  readonly recovery: { readonly keys: readonly PeerKey[]; readonly threshold: number };
  /** What the mesh uses beyond the first version. */
  readonly features: ReadonlySet<string>;
  /** Which version of the rules of validity holds. */
  readonly rules: number;
  /** EPOCHs that do not count, or not alone, by number and id. */
  readonly proposals: readonly Proposal[];
  /** Those that nothing has ended, in the order of statements. */
  readonly suspensions: readonly Suspension[];
  /** The members. */
  readonly sites: ReadonlyMap<SiteId, Site>;
  readonly endedSites: ReadonlyMap<SiteId, EndedSite>;
  readonly owners: ReadonlyMap<OwnerId, Owner>;
  readonly grants: readonly Grant[];
  readonly endedGrants: readonly EndedGrant[];
  /** By the proofs that are kept. */
  readonly forkedLogs: ReadonlyMap<LogId, ForkedLog>;
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
  /**
   * How far a log may count. `open`: without end; `none`: nothing of it does; else up to this
   * entry, if the log has it. The lowest of what ends the author's key and of a fork.
   */
  logLimit(author: SiteId, log: LogId): "open" | "none" | LogEnd;
  isSuspended(key: SiteId | OperatorId): boolean;
  /** Whether new logs of a site count: not when it has forked eight. */
  mayOpenLogs(site: SiteId): boolean;
  isMember(peer: PeerKey): boolean;
  ownerOfRecovery(peer: PeerKey): Owner | undefined;
  siteNamed(name: string): Site | undefined;
}
