/**
 * Keys and statements of a mesh for tests: deterministic, signed for real.
 */
import { createHash } from "node:crypto";
import { proveFork } from "../../protocol/statements/fork-proof-statement.ts";
import type { EpochBody } from "../../protocol/statements/epoch-statement.ts";
import type { LogHead } from "../../protocol/logs/log-head.ts";
import type { SuspendBody } from "../../protocol/statements/suspend-statement.ts";
import { DEFAULT_LIMITS, type GenesisBody } from "../../protocol/statements/genesis.ts";
import {
  idOf,
  type MeshId,
  type OperatorId,
  type OwnerId,
  type PeerKey,
  type SetId,
  type SiteId,
  type StatementId,
} from "../../protocol/ids.ts";
import { ownerClaimId, signOwnerClaim } from "../../protocol/statements/owner-statement.ts";
import { OWN_CLASSES, type SharedClass } from "../../protocol/logs/record-class.ts";
import { signingKey, type SigningKey } from "../../protocol/keys/signature.ts";
import { signSiteRequest, type SiteBody } from "../../protocol/statements/site-statement.ts";
import type { ChainHead, SignerId } from "../../protocol/statements/statement-head.ts";
import {
  meshIdOf,
  signStatement,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";

/** The key pair that a text stands for. */
export function testKey(name: string): SigningKey {
  return signingKey(createHash("sha256").update(`test key ${name}`).digest());
}

type EpochFacts = Pick<EpochBody, "n" | "operators" | "threshold" | "recovery">;

/** What an epoch changes; all else stays as it is in the first of its parents. */
export interface EpochChange {
  readonly by?: SigningKey;
  /** Default: the epoch that was made last. */
  readonly parents?: readonly (StatementId | MeshId)[];
  readonly operators?: readonly SigningKey[];
  readonly threshold?: number;
  readonly recovery?: { readonly keys: readonly SigningKey[]; readonly threshold: number };
  /** Default: the chain of each operator of the parents as it stands here. */
  readonly chains?: EpochBody["chains"];
  readonly features?: readonly string[];
  readonly rules?: number;
  readonly revokes?: EpochBody["revokes"];
  readonly unsuspends?: readonly StatementId[];
}

/** Signs statements of one mesh, and keeps each signer's chain. */
export class Founding {
  readonly operator: SigningKey;
  readonly meshId: MeshId;
  /** All statements signed so far. */
  readonly statements: SignedStatement[] = [];
  readonly #name: string;
  readonly #operators: readonly SigningKey[];
  readonly #limits: GenesisBody["limits"];
  readonly #recovery: NonNullable<EpochChange["recovery"]>;
  readonly #epochs = new Map<StatementId | MeshId, EpochFacts>();
  /** The key O of each owner now. */
  readonly #ownerKeys = new Map<string, SigningKey>();
  readonly #heads = new Map<SignerId, { seq: number; prev: StatementId | MeshId }>();
  #lamport = 0;

  constructor(
    name = "test",
    operators: readonly SigningKey[] = [testKey(`${name} operator`)],
    limits: GenesisBody["limits"] = DEFAULT_LIMITS,
    recovery: EpochChange["recovery"] = { keys: [], threshold: 0 },
  ) {
    const [first] = operators;
    if (first === undefined) throw new RangeError("no operator");
    this.operator = first;
    this.#name = name;
    this.#operators = operators;
    this.#limits = limits;
    this.#recovery = recovery;
    const facts: EpochFacts = {
      n: 0,
      operators: operators.map(({ publicKey }, index) => ({
        key: idOf<OperatorId>(publicKey),
        name: `operator ${index}`,
      })),
      threshold: Math.floor(operators.length / 2) + 1,
      recovery: recoveryOf(recovery),
    };
    const genesis = signStatement(
      {
        v: 1,
        kind: "GENESIS",
        name,
        salt: createHash("sha256").update(`salt ${name}`).digest().subarray(0, 16),
        operators: facts.operators,
        founders: [idOf<OperatorId>(first.publicKey)],
        threshold: facts.threshold,
        recovery: facts.recovery,
        limits,
        rules: 1,
      },
      [first],
    );
    this.meshId = meshIdOf(genesis);
    this.#epochs.set(this.meshId, facts);
    this.statements.push(genesis);
  }

  /** The same mesh with the same chains, which go on apart from now: a box that lost track. */
  fork(): Founding {
    const copy = new Founding(this.#name, this.#operators, this.#limits, this.#recovery);
    copy.statements.push(...this.statements.slice(1));
    for (const [by, head] of this.#heads) copy.#heads.set(by, head);
    for (const [id, facts] of this.#epochs) copy.#epochs.set(id, facts);
    for (const [name, key] of this.#ownerKeys) copy.#ownerKeys.set(name, key);
    copy.#lamport = this.#lamport;
    return copy;
  }

  /** The fields that the next statement of a signer begins with. */
  next(
    key: SigningKey,
  ): ChainHead & { readonly v: 1; readonly mesh: MeshId; readonly by: SignerId } {
    const by = idOf<OperatorId>(key.publicKey);
    const head = this.#heads.get(by) ?? { seq: 1, prev: this.meshId };
    this.#lamport += 1;
    return { v: 1, mesh: this.meshId, by, ...head, lamport: this.#lamport };
  }

  /** Enrols a site under its own name and key `testKey(name)`. */
  enrol(
    name: string,
    options: {
      readonly key?: SigningKey;
      readonly by?: SigningKey;
      readonly release?: SiteBody["release"];
    } = {},
  ): SiteId {
    const { key = testKey(name), by = this.operator, release = null } = options;
    const siteId = idOf<SiteId>(key.publicKey);
    const request = signSiteRequest(key, {
      mesh: this.meshId,
      key: siteId,
      name,
      org: `org ${name}`,
      place: "somewhere",
      domains: { building: name, power: name, uplink: name, country: "FR" },
    });
    const classes = [...OWN_CLASSES];
    this.#keep({ ...this.next(by), kind: "SITE", ...request, classes, release }, by);
    return siteId;
  }

  /** Lets a site write a shared class. */
  grant(
    site: SiteId,
    recordClass: SharedClass,
    selector: string | null,
    by: SigningKey = this.operator,
  ): StatementId {
    return this.#keep({ ...this.next(by), kind: "GRANT", site, class: recordClass, selector }, by);
  }

  /** Takes grants of one site and class back. */
  ungrant(
    ends: readonly StatementId[],
    heads: readonly LogHead[] = [],
    by: SigningKey = this.operator,
  ): StatementId {
    return this.#keep(
      { ...this.next(by), kind: "UNGRANT", ends: [...ends], heads: [...heads] },
      by,
    );
  }

  /** Proposes an epoch, which is the proposer's vote for it, too. */
  epoch(change: EpochChange = {}): StatementId {
    const { by = this.operator, parents = [[...this.#epochs.keys()].at(-1) ?? this.meshId] } =
      change;
    const before = parents.flatMap((id) => this.#epochs.get(id) ?? []);
    const [first] = before;
    if (first === undefined) throw new RangeError("no such epoch");
    const known = new Map(
      before.flatMap(({ operators }) => operators).map((each) => [each.key, each]),
    );
    const operators = (
      change.operators?.map(({ publicKey }) => idOf<OperatorId>(publicKey)) ??
      first.operators.map(({ key }) => key)
    ).map((key) => known.get(key) ?? { key, name: `operator ${key.slice(0, 8)}` });
    const facts: EpochFacts = {
      n: first.n + 1,
      operators,
      threshold: change.threshold ?? Math.floor(operators.length / 2) + 1,
      recovery: change.recovery === undefined ? first.recovery : recoveryOf(change.recovery),
    };
    const id = this.#keep(
      {
        ...this.next(by),
        kind: "EPOCH",
        ...facts,
        parents: parents.toSorted(),
        features: [...(change.features ?? [])],
        rules: change.rules ?? 1,
        chains: change.chains ?? [...known.keys()].map((key) => this.chainOf(key)),
        revokes: change.revokes ?? [],
        unsuspends: [...(change.unsuspends ?? [])],
      },
      by,
    );
    this.#epochs.set(id, facts);
    return id;
  }

  /** The entry of a signer in the `chains` of an epoch that is made now. */
  chainOf(by: SignerId): EpochBody["chains"][number] {
    const { seq, prev } = this.#heads.get(by) ?? { seq: 1, prev: this.meshId };
    return { by, seq: seq - 1, head: prev };
  }

  vote(epoch: StatementId, by: SigningKey): StatementId {
    return this.#keep({ ...this.next(by), kind: "VOTE", epoch }, by);
  }

  /** What a site's daemon says by itself. */
  ack(epoch: StatementId, site: SigningKey): StatementId {
    const by = idOf<SiteId>(site.publicKey);
    const n = this.#epochs.get(epoch)?.n ?? 1;
    return this.#keep({ v: 1, kind: "ACK", mesh: this.meshId, by, n, epoch }, site);
  }

  leave(site: SigningKey, heads: readonly LogHead[] = []): StatementId {
    const by = idOf<SiteId>(site.publicKey);
    return this.#keep({ v: 1, kind: "LEAVE", mesh: this.meshId, by, heads: [...heads] }, site);
  }

  /** Default: with the end of the chain of the key as it stands here, where it is an operator. */
  suspend(
    key: SuspendBody["key"],
    by: SigningKey = this.operator,
    logs: readonly LogHead[] = [],
  ): StatementId {
    const { seq, head } = this.chainOf(key as OperatorId);
    const chain = seq === 0 ? null : { seq, head: head as StatementId };
    return this.#keep({ ...this.next(by), kind: "SUSPEND", key, logs: [...logs], chain }, by);
  }

  unsuspend(ends: readonly StatementId[], by: SigningKey = this.operator): StatementId {
    return this.#keep({ ...this.next(by), kind: "UNSUSPEND", ends: [...ends] }, by);
  }

  /** Of encoded signed headers. @throws RangeError when they prove no fork. */
  forkProof(one: Uint8Array, other: Uint8Array, common?: Uint8Array): StatementId {
    const body = proveFork(one, other, common);
    if (body === undefined) throw new RangeError("no fork");
    return this.#keep(body);
  }

  /** Admits an owner with the key `testKey("owner NAME")`. */
  own(name: string, by: SigningKey = this.operator): OwnerId {
    const key = testKey(`owner ${name}`);
    const owner = idOf<OwnerId>(key.publicKey);
    this.#admit(name, owner, [key], { seq: 1, prev: this.meshId }, by);
    return owner;
  }

  /** Gives an owner another key O, signed by the one before it. */
  replaceOwner(name: string, fresh: SigningKey, by: SigningKey = this.operator): StatementId {
    const old = this.ownerKey(name);
    const owner = idOf<OwnerId>(testKey(`owner ${name}`).publicKey);
    const head = this.#heads.get(idOf<OwnerId>(old.publicKey));
    if (head === undefined) throw new RangeError(`no owner ${name}`);
    return this.#admit(name, owner, [fresh, old], head, by);
  }

  /** The key O of an owner now. */
  ownerKey(name: string): SigningKey {
    return this.#ownerKeys.get(name) ?? testKey(`owner ${name}`);
  }

  /** Lets a site write one set of an owner, or all that it starts. */
  delegate(
    ownerName: string,
    site: SiteId,
    set: SetId | null = null,
    lockDays = 30,
    key: SigningKey = this.ownerKey(ownerName),
  ): StatementId {
    const owner = idOf<OwnerId>(testKey(`owner ${ownerName}`).publicKey);
    const last = { lastList: null, lastHead: null };
    return this.#keep(
      { ...this.next(key), kind: "DELEGATE", owner, set, site, lockDays, ...last },
      key,
    );
  }

  /** @param keys - The new key O, and the one before it. */
  #admit(
    name: string,
    owner: OwnerId,
    keys: readonly [SigningKey, SigningKey?],
    place: { readonly seq: number; readonly prev: StatementId | MeshId },
    by: SigningKey,
  ): StatementId {
    const [key] = keys;
    const sign = idOf<OwnerId>(key.publicKey);
    const claim = signOwnerClaim(
      keys.flatMap((each) => each ?? []),
      {
        mesh: this.meshId,
        owner,
        sign,
        box: createHash("sha256").update(`box ${name}`).digest(),
        recovery: idOf<PeerKey>(testKey(`recovery ${name}`).publicKey),
        name,
        org: `org ${name}`,
        country: "FR",
        ...place,
      },
    );
    const id = this.#keep({ ...this.next(by), kind: "OWNER", ...claim }, by);
    this.#heads.set(sign, { seq: place.seq + 1, prev: ownerClaimId(claim.claim) });
    this.#ownerKeys.set(name, key);
    return id;
  }

  /** @param key - None for what proves itself. */
  #keep(body: Parameters<typeof signStatement>[0], key?: SigningKey): StatementId {
    const statement = signStatement(body, key === undefined ? [] : [key]);
    this.statements.push(statement);
    if (key !== undefined && "seq" in body) {
      const by = idOf<OperatorId>(key.publicKey);
      this.#heads.set(by, { seq: body.seq + 1, prev: statement.id });
    }
    return statement.id;
  }
}

function recoveryOf(recovery: NonNullable<EpochChange["recovery"]>): EpochBody["recovery"] {
  const { keys, threshold } = recovery;
  return { keys: keys.map(({ publicKey }) => idOf<PeerKey>(publicKey)), threshold };
}
