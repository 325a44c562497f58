/**
 * Keys and statements of a mesh for tests: deterministic, signed for real.
 */
import { createHash } from "node:crypto";
import { DEFAULT_LIMITS, type GenesisBody } from "../../protocol/genesis.ts";
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
import { ownerClaimId, signOwnerClaim } from "../../protocol/owner-statement.ts";
import { OWN_CLASSES, type SharedClass } from "../../protocol/record-class.ts";
import { signingKey, type SigningKey } from "../../protocol/signature.ts";
import { signSiteRequest, type SiteBody } from "../../protocol/site-statement.ts";
import type { ChainHead, SignerId } from "../../protocol/statement-head.ts";
import { meshIdOf, signStatement, type SignedStatement } from "../../protocol/statement.ts";

/** The key pair that a text stands for. */
export function testKey(name: string): SigningKey {
  return signingKey(createHash("sha256").update(`test key ${name}`).digest());
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
  readonly #heads = new Map<SignerId, { seq: number; prev: StatementId | MeshId }>();
  #lamport = 0;

  constructor(
    name = "test",
    operators: readonly SigningKey[] = [testKey(`${name} operator`)],
    limits: GenesisBody["limits"] = DEFAULT_LIMITS,
  ) {
    const [first] = operators;
    if (first === undefined) throw new RangeError("no operator");
    this.operator = first;
    this.#name = name;
    this.#operators = operators;
    this.#limits = limits;
    const genesis = signStatement(
      {
        v: 1,
        kind: "GENESIS",
        name,
        salt: createHash("sha256").update(`salt ${name}`).digest().subarray(0, 16),
        operators: operators.map(({ publicKey }, index) => ({
          key: idOf<OperatorId>(publicKey),
          name: `operator ${index}`,
        })),
        founders: [idOf<OperatorId>(first.publicKey)],
        threshold: Math.floor(operators.length / 2) + 1,
        recovery: { keys: [], threshold: 0 },
        limits,
        rules: 1,
      },
      [first],
    );
    this.meshId = meshIdOf(genesis);
    this.statements.push(genesis);
  }

  /** The same mesh with the same chains, which go on apart from now: a box that lost track. */
  fork(): Founding {
    const copy = new Founding(this.#name, this.#operators, this.#limits);
    copy.statements.push(...this.statements.slice(1));
    for (const [by, head] of this.#heads) copy.#heads.set(by, head);
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
  ): void {
    this.#keep({ ...this.next(by), kind: "GRANT", site, class: recordClass, selector }, by);
  }

  /** Admits an owner with the key `testKey("owner NAME")`. */
  own(name: string, by: SigningKey = this.operator): OwnerId {
    const key = testKey(`owner ${name}`);
    const owner = idOf<OwnerId>(key.publicKey);
    const claim = signOwnerClaim([key], {
      mesh: this.meshId,
      owner,
      sign: owner,
      box: createHash("sha256").update(`box ${name}`).digest(),
      recovery: idOf<PeerKey>(testKey(`recovery ${name}`).publicKey),
      name,
      org: `org ${name}`,
      country: "FR",
      seq: 1,
      prev: this.meshId,
    });
    this.#keep({ ...this.next(by), kind: "OWNER", ...claim }, by);
    this.#heads.set(owner, { seq: 2, prev: ownerClaimId(claim.claim) });
    return owner;
  }

  /** Lets a site write one set of an owner, or all that it starts. */
  delegate(ownerName: string, site: SiteId, set: SetId | null = null, lockDays = 30): void {
    const key = testKey(`owner ${ownerName}`);
    const owner = idOf<OwnerId>(key.publicKey);
    const last = { lastList: null, lastHead: null };
    this.#keep({ ...this.next(key), kind: "DELEGATE", owner, set, site, lockDays, ...last }, key);
  }

  #keep(body: Parameters<typeof signStatement>[0], key: SigningKey): void {
    const statement = signStatement(body, [key]);
    this.statements.push(statement);
    const by = idOf<OperatorId>(key.publicKey);
    const seq = body.kind === "GENESIS" ? 0 : body.seq;
    this.#heads.set(by, { seq: seq + 1, prev: statement.id });
  }
}
