/**
 * Nodes that found, invite and join in one process: real state over a fake disk, the join protocol
 * over fake channels, and the people who sign.
 */
import { Membership } from "../daemon/membership/membership.ts";
import { addressPort, statementPort } from "../daemon/ports/membership.ts";
import { signDelegate, signNewOwner } from "../daemon/cli/backup/owner-ceremony.ts";
import type { Channel } from "../daemon/core/transport.ts";
import { silentLogger } from "../daemon/observe/log.ts";
import { State } from "../daemon/state/state.ts";
import { encodeApplication, openApplication } from "../protocol/messages/application.ts";
import { DEFAULT_LIMITS } from "../protocol/statements/genesis.ts";
import { idOf, sha256, type MeshId, type OperatorId, type PeerKey } from "../protocol/ids.ts";
import type { SiteId, StatementId } from "../protocol/ids.ts";
import { deriveOwnerKeys, type OwnerKeys } from "../protocol/keys/owner-keys.ts";
import { OWN_CLASSES } from "../protocol/logs/record-class.ts";
import { signingKey, type SigningKey } from "../protocol/keys/signature.ts";
import { signSiteRelease } from "../protocol/statements/site-statement.ts";
import { StatementChain } from "../protocol/statements/statement-chain.ts";
import {
  encodeStatement,
  meshIdOf,
  signStatement,
  type SignedStatement,
} from "../protocol/statements/statement.ts";
import { FakeChannel, type Wire } from "./fakes/channel.ts";
import type { FakeTime } from "./fakes/clock.ts";
import { FakeDisk } from "./fakes/store.ts";

const OPERATOR = signingKey(sha256("operator"));
const NO_DOMAINS = { building: "", power: "", uplink: "", country: "" };

export class JoinParty {
  readonly time: FakeTime;
  readonly nodes = new Map<string, PartyNode>();
  /** Frames from this address are lost before they are handed over; for tests of bad lines. */
  cut: string | undefined;

  constructor(time: FakeTime) {
    this.time = time;
  }

  async node(name: string, disk = new FakeDisk()): Promise<PartyNode> {
    const node = await PartyNode.start(this, name, disk);
    this.nodes.set(node.address, node);
    return node;
  }

  /** A channel from one node to whoever is at an address, if that one lets strangers in. */
  dial(from: PartyNode, issuer: SiteId, address: string): Channel<PeerKey> {
    const target = this.nodes.get(address);
    if (target?.state.siteId !== issuer || address === this.cut) throw new Error("nobody there");
    const known = target.state.authority().isMember(from.state.siteId);
    if (!target.membership.joinOpen() && !known) throw new Error("turned away");
    const wire: Wire = {
      clock: this.time.clock(),
      delayMs: () => 5,
      frozen: () => false,
      onThaw: () => {},
      forget: () => {},
    };
    const [near, far] = FakeChannel.pair(from.state.siteId, issuer, wire);
    target.membership.serveJoin(far).catch((error: unknown) => far.abort(String(error)));
    return near;
  }
}

export class PartyNode {
  readonly name: string;
  readonly address: string;
  readonly disk: FakeDisk;
  readonly state: State;
  readonly membership: Membership;

  private constructor(name: string, disk: FakeDisk, state: State, membership: Membership) {
    this.name = name;
    this.address = `/dns4/${name}/tcp/1`;
    this.disk = disk;
    this.state = state;
    this.membership = membership;
  }

  static async start(party: JoinParty, name: string, disk: FakeDisk): Promise<PartyNode> {
    const siteKey = signingKey(sha256("site", name));
    const store = disk.open();
    const clock = party.time.clock();
    const log = silentLogger;
    const state = await State.open({ store, clock, log, siteKey });
    const mesh = {
      addresses: () => [`/dns4/${name}/tcp/1`],
      openOutsider: () => Promise.reject(new Error("not used")),
    };
    const membership: Membership = await Membership.open({
      siteKey,
      store,
      clock,
      log,
      state: statementPort(state),
      addresses: addressPort(
        () => mesh,
        () => [],
      ),
      net: {
        open: async (issuer, address) => party.dial(node, issuer, address),
      },
    });
    const node = new PartyNode(name, disk, state, membership);
    return node;
  }

  /** What `init` does. */
  async found(): Promise<MeshId> {
    return this.membership.found(this.founding().map(encodeStatement));
  }

  /** GENESIS, OWNER, DELEGATE and SITE of a mesh with this node alone. */
  founding(): readonly SignedStatement[] {
    const operator = idOf<OperatorId>(OPERATOR.publicKey);
    const genesis = signStatement(
      {
        v: 1,
        kind: "GENESIS",
        name: "test",
        salt: sha256("salt", this.name),
        operators: [{ key: operator, name: "Anne" }],
        founders: [operator],
        threshold: 1,
        recovery: { keys: [], threshold: 0 },
        limits: DEFAULT_LIMITS,
        rules: 1,
      },
      [OPERATOR],
    );
    const mesh = meshIdOf(genesis);
    const keys = ownerOf(this.name);
    const words = { name: this.name, org: this.name, place: "", domains: NO_DOMAINS };
    const { owner, delegate } = signNewOwner(keys, mesh, this.state.siteId, words, 1);
    const chain = new StatementChain(mesh, OPERATOR, { seq: 1, prev: mesh, lamport: 1 });
    const site = this.membership.signRequest({ mesh, ...words });
    return [
      genesis,
      chain.sign({ kind: "OWNER", ...owner }),
      delegate,
      chain.sign({ kind: "SITE", ...site, classes: [...OWN_CLASSES], release: null }),
    ];
  }

  /** What `join` does up to the six words. */
  async apply(code: string, plan: ApplyPlan = {}): Promise<string> {
    const keys = plan.owner;
    const known = plan.knownOwner === true;
    const offer = await this.membership.beginJoin(
      code,
      known && keys !== undefined ? keys.ownerId : null,
      plan.replaces ?? null,
    );
    const mesh = offer.meshId;
    const name = plan.name ?? this.name;
    const words = { name, org: name, place: "", domains: NO_DOMAINS };
    const site = this.membership.signRequest({ mesh, ...words });
    const siteId = this.state.siteId;
    const fresh =
      keys === undefined || known
        ? { owner: null, delegate: null }
        : signNewOwner(keys, mesh, siteId, words, offer.lamport);
    const head = {
      seq: offer.owner?.seq ?? 1,
      prev: offer.owner?.prev ?? (mesh as string as StatementId),
      lamport: offer.lamport,
    };
    const delegate =
      keys !== undefined && known ? signDelegate(keys, mesh, siteId, head) : fresh.delegate;
    const release =
      keys === undefined || offer.old === null
        ? null
        : signSiteRelease(keys.sign, {
            mesh,
            old: offer.old.site,
            new: siteId,
            heads: offer.old.heads,
          });
    const application = encodeApplication({ site, owner: fresh.owner, delegate, release });
    return this.membership.applyToJoin(code, application);
  }

  /** What `approve` does. */
  async approve(words: string, operator: SigningKey = OPERATOR): Promise<void> {
    const found = this.membership.findApplication(words);
    const application = openApplication(Buffer.from(found.application, "base64"));
    if (application === undefined) throw new Error("the application is not sound");
    const { parts, request } = application;
    const head = this.state.chainHead(idOf<OperatorId>(operator.publicKey));
    const chain = new StatementChain(request.mesh, operator, head);
    const statements = [
      ...(parts.owner === null ? [] : [chain.sign({ kind: "OWNER", ...parts.owner })]),
      ...(parts.delegate === null ? [] : [parts.delegate]),
      chain.sign({
        kind: "SITE",
        ...parts.site,
        classes: [...OWN_CLASSES],
        release: parts.release,
      }),
    ];
    await this.membership.addStatements(statements.map(encodeStatement));
  }

  get isMember(): boolean {
    return this.state.authority().isMember(this.state.siteId);
  }
}

export interface ApplyPlan {
  readonly name?: string;
  readonly owner?: OwnerKeys;
  /** The owner is one that the mesh knows. Default: a new one. */
  readonly knownOwner?: boolean;
  readonly replaces?: string;
}

export function ownerOf(name: string): OwnerKeys {
  return deriveOwnerKeys(sha256("owner", name));
}
