/**
 * The side of the applicant on one channel: proves the code, then asks and is answered.
 */
import type { MeshId, OwnerId, PeerKey } from "../../protocol/ids.ts";
import { joinProof, proofKeyOf, type Invitation } from "../../protocol/messages/invitation.ts";
import {
  decodeJoinReply,
  encodeJoinRequest,
  type JoinReply,
  type JoinRequest,
  type Refusal,
} from "../../protocol/messages/join-message.ts";
import {
  decodeStatement,
  isGenesis,
  meshIdOf,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import type { Channel } from "../core/transport.ts";
import { MembershipError } from "./error.ts";
import type { IssuerPort } from "./ports.ts";

/** A slow line needs a few seconds; a person waits for all addresses together. */
const OPEN_TIMEOUT_MS = 7000;
/** More than the issuer takes over `ask`, which answers within 20 s. */
const REPLY_TIMEOUT_MS = 40_000;
/** No honest mesh has more; bounds what a false issuer can make us keep. */
const MAX_STATEMENTS = 20_000;

export type JoinFactsReply = Extract<JoinReply, { readonly t: "facts" }>;

export type Answer =
  | { readonly kind: "pending" }
  | { readonly kind: "declined" }
  | { readonly kind: "approved"; readonly statements: readonly SignedStatement[] };

export class JoinSession {
  readonly #channel: Channel<PeerKey>;
  /** What people call the mesh, from its GENESIS. */
  readonly meshName: string;

  private constructor(channel: Channel<PeerKey>, meshName: string) {
    this.#channel = channel;
    this.meshName = meshName;
  }

  /**
   * Reaches the issuer at one of its addresses and proves the code.
   *
   * @throws MembershipError when nobody answers, or the code is refused.
   */
  static async open(
    net: IssuerPort,
    invitation: Invitation,
    applicant: PeerKey,
  ): Promise<JoinSession> {
    const channel = await dial(net, invitation);
    try {
      const challenge = await exchange(channel, { v: 1, t: "hello" }, "challenge");
      const { meshId, issuer, secret } = invitation;
      const key = proofKeyOf(secret);
      const proof = joinProof(key, meshId, applicant, issuer, challenge.nonce);
      const accepted = await exchange(channel, { v: 1, t: "prove", proof }, "accepted");
      return new JoinSession(channel, meshNameIn(accepted.genesis, meshId));
    } catch (error) {
      channel.abort("the code was not proved");
      throw error;
    }
  }

  async about(owner: OwnerId | null, replaces: string | null): Promise<JoinFactsReply> {
    return exchange(this.#channel, { v: 1, t: "about", owner, replaces }, "facts");
  }

  /** @throws MembershipError E-JOIN-REFUSED with the reason. */
  async apply(application: Uint8Array): Promise<void> {
    await exchange(this.#channel, { v: 1, t: "apply", application }, "pending");
  }

  /** The answer as it is within about 20 s. */
  async ask(): Promise<Answer> {
    await this.#channel.send(encodeJoinRequest({ v: 1, t: "ask" }));
    const statements: SignedStatement[] = [];
    for (;;) {
      const reply = await receive(this.#channel);
      if (reply.t === "pending" || reply.t === "declined") return { kind: reply.t };
      if (reply.t !== "statements") throw nonsense("an answer of another kind");
      statements.push(...reply.list.map(readStatement));
      if (reply.last) return { kind: "approved", statements };
      if (reply.list.length === 0) throw nonsense("no statement, and more to come");
      if (statements.length > MAX_STATEMENTS) throw nonsense("too many statements");
    }
  }

  async close(): Promise<void> {
    await this.#channel.end().catch(() => {});
    this.#channel.abort("done");
  }
}

async function dial(net: IssuerPort, invitation: Invitation): Promise<Channel<PeerKey>> {
  const failures: string[] = [];
  for (const address of invitation.addresses) {
    try {
      return await net.open(invitation.issuer, address, OPEN_TIMEOUT_MS);
    } catch (error) {
      failures.push(`${address}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new MembershipError(
    "E-JOIN-UNREACHABLE",
    `Nobody takes the code at the addresses it names (${failures.join("; ")}).`,
    {
      hint:
        "Is the site that invited up, and can this machine reach it? It also turns everybody " +
        "away when no invitation is open: ask for a new code.",
    },
  );
}

async function exchange<Kind extends JoinReply["t"]>(
  channel: Channel<PeerKey>,
  request: JoinRequest,
  expected: Kind,
): Promise<Extract<JoinReply, { readonly t: Kind }>> {
  await channel.send(encodeJoinRequest(request));
  const reply = await receive(channel);
  if (reply.t === expected) return reply as Extract<JoinReply, { readonly t: Kind }>;
  throw nonsense(`"${reply.t}" instead of "${expected}"`);
}

async function receive(channel: Channel<PeerKey>): Promise<JoinReply> {
  const frame = await channel.receive(REPLY_TIMEOUT_MS);
  if (frame === undefined) throw nonsense("the end of the talk");
  const reply = decodeJoinReply(frame);
  if (reply === undefined) throw nonsense("a message of an unknown form");
  if (reply.t === "refused") throw refused(reply.reason);
  return reply;
}

function readStatement(bytes: Uint8Array): SignedStatement {
  try {
    return decodeStatement(bytes);
  } catch (cause) {
    throw nonsense("a statement that is none", cause);
  }
}

function meshNameIn(genesis: Uint8Array, meshId: MeshId): string {
  const statement = readStatement(genesis);
  if (!isGenesis(statement.body) || meshIdOf(statement) !== meshId) {
    throw nonsense("the beginning of another mesh");
  }
  return statement.body.name;
}

function nonsense(what: string, cause?: unknown): MembershipError {
  return new MembershipError("E-JOIN-PEER", `The site that invited sent ${what}.`, {
    hint: "Do both machines run the same version of Pleach? Try again; ask for a new code.",
    cause,
  });
}

function refused(reason: Refusal): MembershipError {
  const facts = { exit: 5 } as const;
  switch (reason) {
    case "code":
      return new MembershipError(
        "E-JOIN-CODE",
        "The code was refused: it was used, has expired, or was never issued.",
        { ...facts, hint: 'Ask an operator for a new one: "pleach invite".' },
      );
    case "busy":
      return new MembershipError(
        "E-JOIN-BUSY",
        "The site that invited is busy with wrong codes and looks at no more for now.",
        { ...facts, hint: "The code is still good. Try again in a minute." },
      );
    case "name":
      return new MembershipError("E-JOIN-REFUSED", "Another site of the mesh has this name.", {
        ...facts,
        hint: "The code is still good, on this machine. Choose another name with --site.",
      });
    case "owner":
      return new MembershipError(
        "E-JOIN-REFUSED",
        "The mesh does not know this owner, or knows it already and it was to be new.",
        { ...facts, hint: "Compare --owner and the phrase; the code is still good, here." },
      );
    case "replaces":
      return new MembershipError(
        "E-JOIN-REFUSED",
        "The site that is to be replaced is not a member, or its owner has another phrase.",
        { ...facts, hint: "Compare --replaces and the phrase; the code is still good, here." },
      );
    case "form":
      return new MembershipError(
        "E-JOIN-REFUSED",
        "The site that invited does not understand the application.",
        { ...facts, hint: "Do both machines run the same version of Pleach?" },
      );
  }
}
