/**
 * Owners of backups, their keys one after another, and the sites that they delegate to.
 *
 * A key O that was replaced counts up to the statement that its successor's claim goes on from: what
 * a thief signs with it later has no effect.
 */
import type { MeshId, OwnerId, SiteId, StatementId } from "../../../protocol/ids.ts";
import {
  openOwnerClaim,
  ownerClaimId,
  type OwnerClaim,
} from "../../../protocol/statements/owner-statement.ts";
import type { Delegation, Owner } from "./authority.ts";
import type { Decision, Decisions, OperatorRights } from "./decisions.ts";

export interface RankedDelegation extends Delegation {
  readonly seq: number;
}

interface Link {
  readonly by: OwnerId;
  readonly seq: number;
  readonly prev: StatementId | MeshId;
}

/** A key O, of which owner, and which of its statements count: undefined while it is in use. */
interface OwnerKey {
  readonly owner: OwnerId;
  kept: ReadonlySet<StatementId> | undefined;
}

export class Owners {
  readonly owners = new Map<OwnerId, Owner>();
  readonly delegations: RankedDelegation[] = [];
  readonly #keys = new Map<OwnerId, OwnerKey>();
  readonly #links = new Map<StatementId | MeshId, Link>();
  readonly #recoveries = new Map<string, OwnerId>();
  readonly #names = new Map<string, OwnerId>();

  constructor(
    decisions: Decisions,
    rights: OperatorRights,
    meshId: MeshId | undefined,
    idle: Map<StatementId, string>,
  ) {
    const admissions = decisions.of("OWNER");
    for (const { id, body } of decisions.of("DELEGATE")) {
      this.#links.set(id, { by: body.by as OwnerId, seq: body.seq, prev: body.prev });
    }
    for (const { body } of admissions) {
      const claim = openOwnerClaim(body);
      if (claim === undefined) continue;
      const { sign: by, seq, prev } = claim;
      this.#links.set(ownerClaimId(body.claim), { by, seq, prev });
    }
    for (const admission of admissions) {
      const objection =
        rights.objection(admission.id, admission.body.by) ?? this.#admit(admission, meshId);
      if (objection !== undefined) idle.set(admission.id, objection);
    }
    for (const delegate of decisions.of("DELEGATE")) {
      const objection = this.#delegate(delegate);
      if (objection !== undefined) idle.set(delegate.id, objection);
    }
  }

  /** Whether a key O is that of an owner who lets this site write. */
  speaksFor(key: string, site: SiteId): boolean {
    return this.delegations.some((each) => {
      return each.site === site && this.owners.get(each.owner)?.sign === key;
    });
  }

  #admit({ id, body }: Decision<"OWNER">, meshId: MeshId | undefined): string | undefined {
    const claim = openOwnerClaim(body);
    if (claim === undefined) return "the claim is unsound";
    const holder = this.#recoveries.get(claim.recovery);
    if (this.#keys.has(claim.sign)) return "the owner's key was admitted before";
    if (holder !== undefined && holder !== claim.owner) {
      return "the recovery key belongs to another owner";
    }
    if (claim.seq === 1) {
      if (claim.prev !== meshId) return "the claim is no beginning of a chain";
    } else {
      const objection = this.#replace(body, claim);
      if (objection !== undefined) return objection;
    }
    this.#keys.set(claim.sign, { owner: claim.owner, kept: undefined });
    this.#recoveries.set(claim.recovery, claim.owner);
    this.owners.set(claim.owner, { ...this.#describe(claim), statement: id });
    return undefined;
  }

  #replace(body: Decision<"OWNER">["body"], claim: OwnerClaim): string | undefined {
    const old = this.owners.get(claim.owner)?.sign;
    if (old === undefined) return "the owner is not known";
    if (!body.claimSignatures.some(({ key }) => key === old)) {
      return "not signed by the owner's key before it";
    }
    const before = this.#links.get(claim.prev);
    if (before === undefined || before.by !== old || before.seq + 1 !== claim.seq) {
      return "it does not go on from the chain of the key before it";
    }
    const key = this.#keys.get(old);
    if (key !== undefined) key.kept = this.#pathTo(claim.prev, old);
    return undefined;
  }

  #pathTo(head: StatementId | MeshId, by: OwnerId): ReadonlySet<StatementId> {
    const path = new Set<StatementId>();
    for (let at = head, link = this.#links.get(at); link?.by === by; link = this.#links.get(at)) {
      if (path.has(at as StatementId)) break;
      path.add(at as StatementId);
      at = link.prev;
    }
    return path;
  }

  #describe(claim: OwnerClaim): Omit<Owner, "statement"> {
    const { owner: ownerId, sign, box, recovery, org, country } = claim;
    const holder = this.#names.get(claim.name);
    if (holder === undefined) this.#names.set(claim.name, ownerId);
    const free = holder === undefined || holder === ownerId;
    const name = free ? claim.name : `${claim.name}-${ownerId.slice(0, 8)}`;
    return { ownerId, sign, box, recovery, name, org, country };
  }

  #delegate({ id, body }: Decision<"DELEGATE">): string | undefined {
    const key = this.#keys.get(body.by as OwnerId);
    if (key === undefined || key.owner !== body.owner) return "not signed by the owner";
    if (key.kept !== undefined && !key.kept.has(id)) return "the owner has another key now";
    const { owner, set, site, lockDays, seq } = body;
    this.delegations.push({ owner, set, site, lockDays, seq, statement: id });
    return undefined;
  }
}
