/**
 * Becoming a member: from a code to the statements of the mesh, over restarts and lost lines.
 *
 * What was applied for is on disk before it is sent. From then on this node asks until an
 * operator has answered; it starts its state only with statements whose GENESIS is the mesh of
 * the code and that name this very node.
 */
import { z } from "zod";
import { MAX_APPLICATION_BYTES } from "../../protocol/messages/application.ts";
import { decodeCbor, encodeCbor } from "../../protocol/encoding/cbor.ts";
import type { MeshId, OwnerId, SiteId } from "../../protocol/ids.ts";
import {
  parseInvitation,
  proofKeyOf,
  type Invitation,
} from "../../protocol/messages/invitation.ts";
import { joinWords } from "../../protocol/messages/join-words.ts";
import { isGenesis, meshIdOf, type SignedStatement } from "../../protocol/statements/statement.ts";
import { bytesField } from "../../protocol/encoding/wire-field.ts";
import { authorize } from "../core/authority/authorize.ts";
import type { Clock } from "../core/clock.ts";
import { misfits } from "../core/authority/statement-set.ts";
import type { Store } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import { MembershipError } from "./error.ts";
import { JoinSession, type JoinFactsReply } from "./join-session.ts";
import type { IssuerPort, StatementPort } from "./ports.ts";

const KEY = "membership/joining";
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

const RECORD = z.strictObject({
  v: z.literal(1),
  code: z.string().max(4096),
  application: bytesField(1, MAX_APPLICATION_BYTES),
});

/** What was asked for and waits. */
interface Pending {
  readonly invitation: Invitation;
  readonly code: string;
  readonly application: Uint8Array;
}

export interface JoinStatus {
  readonly state: "idle" | "pending" | "declined" | "failed" | "joined";
  readonly meshId: MeshId | undefined;
  /** What the operator is to hear. */
  readonly words: string | undefined;
  /** Why the last attempt to reach the issuer or to join went wrong. */
  readonly problem: MembershipError | undefined;
}

/** What the mesh tells somebody with a good code. */
export interface JoinOffer {
  readonly meshId: MeshId;
  readonly meshName: string;
  readonly issuer: SiteId;
  /** Of the issuer. */
  readonly addresses: readonly string[];
  readonly facts: JoinFactsReply;
}

export interface JoiningOptions {
  readonly store: Store;
  readonly state: StatementPort;
  readonly net: IssuerPort;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Joining {
  readonly #store: Store;
  readonly #state: StatementPort;
  readonly #net: IssuerPort;
  readonly #clock: Clock;
  readonly #log: Logger;
  #pending: Pending | undefined;
  #outcome: "pending" | "declined" | "failed" = "pending";
  #problem: MembershipError | undefined;
  /** Grows when what is pending changes; a loop of an older one ends. */
  #round = 0;
  #stopped = false;
  #wakeUp: () => void = () => {};

  private constructor(options: JoiningOptions) {
    this.#store = options.store;
    this.#state = options.state;
    this.#net = options.net;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Goes on with what was under way before a restart. */
  static async open(options: JoiningOptions): Promise<Joining> {
    const joining = new Joining(options);
    const stored = await options.store.get(KEY);
    joining.#pending = stored === undefined ? undefined : read(stored);
    return joining;
  }

  /** Begins to ask, when something is pending. Call it once the network is up. */
  start(): void {
    if (this.#pending !== undefined && this.#state.meshId() === undefined) this.#loop();
  }

  stop(): void {
    this.#stopped = true;
    this.#wakeUp();
  }

  status(): JoinStatus {
    const meshId = this.#state.meshId();
    if (meshId !== undefined) {
      return { state: "joined", meshId, words: undefined, problem: undefined };
    }
    const pending = this.#pending;
    return {
      state: pending === undefined ? "idle" : this.#outcome,
      meshId: pending?.invitation.meshId,
      words: pending === undefined ? undefined : this.#words(pending),
      problem: this.#problem,
    };
  }

  /**
   * Where to find the mesh as long as its state does not say so: the issuer of the code.
   */
  firstMember(): { readonly siteId: SiteId; readonly addresses: readonly string[] } | undefined {
    if (this.#pending === undefined) return undefined;
    const { issuer, addresses } = this.#pending.invitation;
    return { siteId: issuer, addresses };
  }

  /**
   * Proves a code, which binds it to this node, and learns what an application has to carry.
   *
   * @throws InvitationError, MembershipError.
   */
  async begin(code: string, owner: OwnerId | null, replaces: string | null): Promise<JoinOffer> {
    mustBeOutside(this.#state);
    const invitation = parseInvitation(code);
    const session = await JoinSession.open(this.#net, invitation, this.#state.siteId);
    try {
      const facts = await session.about(owner, replaces);
      const { meshId, issuer, addresses } = invitation;
      return { meshId, meshName: session.meshName, issuer, addresses, facts };
    } finally {
      await session.close();
    }
  }

  /**
   * Applies, and goes on asking until an operator has answered. Replaces what was applied for
   * before.
   *
   * @returns the six words.
   * @throws MembershipError when the issuer refuses it or cannot be reached.
   */
  async apply(code: string, application: Uint8Array): Promise<string> {
    mustBeOutside(this.#state);
    const pending = { invitation: parseInvitation(code), code, application };
    const session = await JoinSession.open(this.#net, pending.invitation, this.#state.siteId);
    try {
      // Written first: once the issuer has it, an approval may come at any time.
      const value = encodeCbor({ v: 1, code, application });
      await this.#store.write([{ kind: "put", key: KEY, value }], "durable");
      this.#pending = pending;
      this.#round += 1;
      await session.apply(application);
    } catch (error) {
      await this.#forget();
      throw error;
    } finally {
      await session.close();
    }
    this.#outcome = "pending";
    this.#problem = undefined;
    this.#loop();
    return this.#words(pending);
  }

  #words({ invitation, application }: Pending): string {
    return joinWords({
      meshId: invitation.meshId,
      applicant: this.#state.siteId,
      issuer: invitation.issuer,
      proofKey: proofKeyOf(invitation.secret),
      application,
    });
  }

  async #forget(): Promise<void> {
    this.#pending = undefined;
    this.#round += 1;
    this.#wakeUp();
    await this.#store.write([{ kind: "delete", key: KEY }], "durable");
  }

  #loop(): void {
    this.#round += 1;
    this.#wakeUp();
    void this.#askUntilAnswered(this.#round);
  }

  async #askUntilAnswered(round: number): Promise<void> {
    let waitMs = FIRST_RETRY_MS;
    while (round === this.#round && !this.#stopped && this.#outcome === "pending") {
      try {
        await this.#askOnce(round);
        waitMs = FIRST_RETRY_MS;
        this.#problem = undefined;
      } catch (error) {
        const problem = error instanceof MembershipError ? error : undefined;
        this.#problem = problem;
        this.#log.warn("asking for the answer failed", {
          error: error instanceof Error ? error.message : String(error),
        });
        if (problem?.code === "E-JOIN-CODE" || problem?.code === "E-JOIN-REFUSED") {
          if (round === this.#round) this.#outcome = "failed";
          return;
        }
        waitMs = Math.min(LAST_RETRY_MS, waitMs * 2);
      }
      if (this.#state.meshId() !== undefined) return;
      await this.#pause(waitMs);
    }
  }

  async #askOnce(round: number): Promise<void> {
    const pending = this.#pending;
    if (pending === undefined) return;
    const session = await JoinSession.open(this.#net, pending.invitation, this.#state.siteId);
    try {
      await session.apply(pending.application);
      for (;;) {
        const answer = await session.ask();
        if (round !== this.#round || this.#stopped) return;
        if (answer.kind === "approved") return await this.#enter(pending, answer.statements);
        if (answer.kind === "declined") {
          this.#outcome = "declined";
          return;
        }
      }
    } finally {
      await session.close();
    }
  }

  async #enter(pending: Pending, statements: readonly SignedStatement[]): Promise<void> {
    const { meshId } = pending.invitation;
    const ofMesh = statements.filter((each) => !isGenesis(each.body) || meshIdOf(each) === meshId);
    const authority = authorize(ofMesh);
    const whole = authority.meshId === meshId && misfits(ofMesh).length === 0;
    if (!whole || !authority.isMember(this.#state.siteId)) {
      throw new MembershipError(
        "E-JOIN-PEER",
        "The statements that came do not make us a member.",
        {
          hint: "It is tried again. If it stays so, ask for a new code.",
        },
      );
    }
    await this.#state.add(ofMesh);
    this.#log.info("joined the mesh", { mesh: meshId });
  }

  async #pause(waitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(waitMs, resolve);
      this.#wakeUp = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** @throws MembershipError when this node is in a mesh: one node is in one. */
export function mustBeOutside(state: StatementPort): void {
  if (state.meshId() === undefined) return;
  throw new MembershipError(
    "E-MESH-MEMBER",
    `This node is in the mesh "${state.authority().meshName}" already.`,
    { hint: "One node is in one mesh. Use a machine, or a data directory, of its own." },
  );
}

function read(stored: Uint8Array): Pending | undefined {
  try {
    const { code, application } = RECORD.parse(decodeCbor(stored, MAX_APPLICATION_BYTES + 5000));
    return { invitation: parseInvitation(code), code, application };
  } catch {
    return undefined;
  }
}
