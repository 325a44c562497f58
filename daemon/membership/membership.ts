/**
 * Membership as the control socket offers it: founding, inviting, joining, approving.
 *
 * The daemon signs nothing but the request of its own site. Everything else comes signed from
 * the command of an operator or an owner, and is refused whole when part of it would have no
 * effect, because statements stay for ever.
 */
import { openApplication } from "../../protocol/messages/application.ts";
import type { MeshId, OperatorId, OwnerId, PeerKey, SiteId } from "../../protocol/ids.ts";
import { joinWords, parseJoinWords } from "../../protocol/messages/join-words.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import { signSiteRequest, type SiteRequest } from "../../protocol/statements/site-statement.ts";
import type { ChainHead } from "../../protocol/statements/statement-head.ts";
import {
  decodeStatement,
  isGenesis,
  meshIdOf,
  StatementError,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import { authorize } from "../core/authority/authorize.ts";
import type { Clock } from "../core/clock.ts";
import { misfits } from "../core/authority/statement-set.ts";
import type { Store } from "../core/store.ts";
import type { Channel } from "../core/transport.ts";
import type { Logger } from "../observe/log.ts";
import { MembershipError } from "./error.ts";
import { Invitations, type UsedInvitation } from "./invitations.ts";
import { JoinHost } from "./join-host.ts";
import { Joining, mustBeOutside } from "./joining.ts";
import { reportJoining, reportMesh } from "./report.ts";
import type { AddressPort, IssuerPort, StatementPort } from "./ports.ts";

export interface MembershipOptions {
  readonly siteKey: SigningKey;
  readonly store: Store;
  readonly state: StatementPort;
  readonly net: IssuerPort;
  readonly addresses: AddressPort;
  readonly clock: Clock;
  readonly log: Logger;
}

/** An application that an operator can answer. */
interface Waiting {
  readonly invitation: UsedInvitation;
  readonly application: Uint8Array;
  readonly words: string;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #invitations: Invitations;
  readonly #host: JoinHost;
  readonly #joining: Joining;
  /** Whether a key was ever let in: who has left or was expelled does not apply again by it. */
  readonly #hasEntered = (key: PeerKey): boolean => {
    const { sites, endedSites } = this.#options.state.authority();
    return sites.has(key as SiteId) || endedSites.has(key as SiteId);
  };

  private constructor(options: MembershipOptions, invitations: Invitations, joining: Joining) {
    const { state, clock, log } = options;
    this.#options = options;
    this.#invitations = invitations;
    this.#joining = joining;
    this.#host = new JoinHost(invitations, state, clock, log);
  }

  static async open(options: MembershipOptions): Promise<Membership> {
    const invitations = await Invitations.open(options.store, options.clock);
    return new Membership(options, invitations, await Joining.open(options));
  }

  /** Goes on with a `join` that was under way. Call it once the network is up. */
  start(): void {
    this.#joining.start();
  }

  stop(): void {
    this.#joining.stop();
  }

  /** Whether somebody who is no member may speak the join protocol now. */
  joinOpen(): boolean {
    const { state } = this.#options;
    return state.meshId() !== undefined && this.#invitations.isOpen(this.#hasEntered);
  }

  /** Answers `/pleach/join/1`. */
  serveJoin(channel: Channel<PeerKey>): Promise<void> {
    return this.#host.serve(channel);
  }

  /** The site that invited this one, until the state says where the members are. */
  firstMember(): { readonly siteId: SiteId; readonly addresses: readonly string[] } | undefined {
    return this.#joining.firstMember();
  }

  membership() {
    const { state, addresses } = this.#options;
    const own = plainAddresses(addresses.own());
    return {
      ...reportMesh(state.authority(), (site) => addresses.ofMember(site)),
      siteId: state.siteId,
      addresses: [...own],
      ownNamed: own.map((address) => addresses.withPeer(address, state.siteId)),
      joining: reportJoining(this.#joining.status()),
    };
  }

  /** @throws MembershipError before there is a mesh. */
  chain(signer: OperatorId | OwnerId): ChainHead {
    this.#mustBeMember();
    return this.#options.state.chainHead(signer);
  }

  /** @throws MembershipError once this node is in a mesh: one key is one site. */
  signRequest(body: {
    readonly mesh: string;
    readonly name: string;
    readonly org: string;
    readonly place: string;
    readonly domains: SiteRequest["domains"];
  }): ReturnType<typeof signSiteRequest> {
    mustBeOutside(this.#options.state);
    const { siteKey, state } = this.#options;
    return signSiteRequest(siteKey, {
      ...body,
      mesh: body.mesh as MeshId,
      key: state.siteId,
    });
  }

  /** @throws MembershipError when this node is in a mesh, or would be no member of this one. */
  async found(encoded: readonly Uint8Array[]): Promise<MeshId> {
    mustBeOutside(this.#options.state);
    const statements = decodeAll(encoded);
    const genesis = statements.find(({ body }) => isGenesis(body));
    if (genesis === undefined) throw noEffect("there is no GENESIS among them");
    const authority = authorize(statements);
    for (const { id } of statements) {
      const reason = authority.idle.get(id);
      if (reason !== undefined) throw noEffect(reason);
    }
    if (!authority.isMember(this.#options.state.siteId)) throw noEffect("this site is no member");
    mustFit(statements);
    await this.#add(statements);
    return meshIdOf(genesis);
  }

  /** @throws MembershipError when one of them would have no effect; then none is kept. */
  async addStatements(encoded: readonly Uint8Array[]): Promise<number> {
    this.#mustBeMember();
    const statements = decodeAll(encoded);
    const { state } = this.#options;
    const authority = authorize([...state.statements(), ...statements]);
    for (const { id } of statements) {
      const reason = authority.idle.get(id);
      if (reason !== undefined) throw noEffect(reason);
    }
    mustFit([...state.statements(), ...statements]);
    await this.#add(statements);
    return statements.length;
  }

  /** @throws MembershipError when this node is in no mesh, or nobody could reach it. */
  async invite(ttlMs: number) {
    const meshId = this.#mustBeMember();
    const { state, addresses } = this.#options;
    const own = plainAddresses(addresses.own());
    if (own.length === 0) {
      throw new MembershipError("E-INVITE-ADDRESS", "This node has no address to give out.", {
        hint: 'Set  announce = ["HOST:PORT"]  in the [mesh] section of the configuration.',
      });
    }
    const { siteId } = state;
    const invitation = await this.#invitations.issue(meshId, siteId, own, this.#hasEntered, ttlMs);
    return { ...invitation, addresses: [...own] };
  }

  /** The invitations of this node that hold a place. */
  invitations() {
    return this.#invitations.list(this.#hasEntered).map(({ application, ...info }) => ({
      ...info,
      site: (application && openApplication(application)?.request.name) ?? null,
    }));
  }

  /** @returns What became of it before. @throws MembershipError E-INVITE-UNKNOWN. */
  async withdrawInvitation(id: string) {
    const state = await this.#invitations.withdraw(id, this.#hasEntered);
    this.#host.wake();
    return state;
  }

  /** What waits for an operator; never the words, which are to be heard from the applicant. */
  applications() {
    return this.#waiting().map(({ invitation, application }) => ({
      site: openApplication(application)?.request.name ?? "",
      applicant: invitation.applicant,
      answeredAtMs: invitation.answeredAtMs,
    }));
  }

  /** @throws JoinWordsError, MembershipError when nothing waits under these words. */
  findApplication(text: string) {
    const { invitation, application } = this.#waitingUnder(text);
    const { applicant, proofKey } = invitation;
    const issuer = this.#options.state.siteId;
    const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
    return { application: toBase64(application), applicant, issuer, proofKey: toBase64(proofKey) };
  }

  /** @throws JoinWordsError, MembershipError when nothing waits under these words. */
  async decline(text: string): Promise<void> {
    await this.#invitations.decline(this.#waitingUnder(text).invitation);
    this.#host.wake();
  }

  async beginJoin(code: string, owner: OwnerId | null, replaces: string | null) {
    const offer = await this.#joining.begin(code, owner, replaces);
    const { lamport, owner: known, old, site } = offer.facts;
    const { addresses } = this.#options;
    return {
      meshId: offer.meshId,
      meshName: offer.meshName,
      lamport,
      owner: known,
      old,
      members: offer.addresses.map((each) => ({
        site,
        address: addresses.withPeer(each, offer.issuer),
      })),
    };
  }

  /** @throws MembershipError when the application is none of this site, or is not taken. */
  async applyToJoin(code: string, application: Uint8Array): Promise<string> {
    if (openApplication(application)?.request.key !== this.#options.state.siteId) {
      throw new MembershipError("E-JOIN-REFUSED", "The application is not one of this site.");
    }
    return this.#joining.apply(code, application);
  }

  #waitingUnder(text: string): Waiting {
    const words = parseJoinWords(text);
    const found = this.#waiting().find((each) => each.words === words);
    if (found !== undefined) return found;
    throw new MembershipError(
      "E-APPLICATION-UNKNOWN",
      "No application that waits here has these words.",
      {
        hint:
          "Have them read out again. Applications wait on the site that made the code; if " +
          "another machine used it, the words differ: then make a new code.",
        exit: 5,
      },
    );
  }

  #waiting(): readonly Waiting[] {
    const { state } = this.#options;
    const meshId = state.meshId();
    if (meshId === undefined) return [];
    return this.#invitations.used().flatMap((invitation) => {
      const { application, applicant, declined, proofKey } = invitation;
      if (application === undefined || declined) return [];
      if (this.#hasEntered(applicant)) return [];
      const facts = { meshId, applicant, issuer: state.siteId, proofKey, application };
      return [{ invitation, application, words: joinWords(facts) }];
    });
  }

  async #add(statements: readonly SignedStatement[]): Promise<void> {
    const { refused, waiting } = await this.#options.state.add(statements);
    const [first] = refused;
    if (first !== undefined) throw noEffect(first.reason);
    if (waiting.length > 0) throw noEffect("a statement before it is not known here");
  }

  #mustBeMember(): MeshId {
    const meshId = this.#options.state.meshId();
    if (meshId !== undefined) return meshId;
    throw new MembershipError("E-MESH-NONE", "This node is in no mesh yet.", {
      hint: "Found one:  pleach init   or join one:  pleach join CODE",
    });
  }
}

/** Without the peer at their end, which a code and a roster carry apart. */
function plainAddresses(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses.map((address) => address.replace(/\/p2p\/\w+$/, "")))];
}

function decodeAll(encoded: readonly Uint8Array[]): readonly SignedStatement[] {
  try {
    return encoded.map(decodeStatement);
  } catch (cause) {
    if (cause instanceof StatementError) throw noEffect(cause.message, cause);
    throw cause;
  }
}

/** Asked before any is kept: part of what was to be added would stay for ever. */
function mustFit(statements: readonly SignedStatement[]): void {
  if (misfits(statements).length > 0) throw noEffect("a statement before it is not known here");
}

function noEffect(reason: string, cause?: unknown): MembershipError {
  return new MembershipError("E-MESH-STATEMENT", `A statement would have no effect: ${reason}.`, {
    hint: "Look at the members:  pleach peers   and run the command again.",
    cause,
  });
}
