/**
 * One channel of `/pleach/state/1`, spoken in messages: each wait bounded, each frame paced and
 * checked, each answer of the kind that was asked for.
 */
import { sha256, toHex, type MeshId, type SiteId } from "../../../protocol/ids.ts";
import { CLASS_GROUPS } from "../../../protocol/logs/record-class.ts";
import {
  decodeSyncMessage,
  encodeSyncMessage,
  SYNC_VERSIONS,
  type SyncHello,
  type SyncMessage,
  type SyncMessageKind,
  type SyncMessageOf,
} from "../../../protocol/messages/sync-message.ts";
import type { Channel, ProtocolName } from "../../core/transport.ts";
import type { Replica } from "../replica.ts";
import type { Pace } from "./pace.ts";
import { SyncError } from "./sync-error.ts";

export const STATE_PROTOCOL: ProtocolName = "/pleach/state/1";

/** For an answer. The peer may have to sync a full frame of entries to a slow disk first. */
const ANSWER_TIMEOUT_MS = 60_000;

/**
 * Bytes of items that one frame is filled with: small enough that its reader is done with it long
 * before the transport takes it for dead.
 */
const FRAME_FILL_BYTES = 64 * 1024;
/** And items, because syncing costs by the item. */
const FRAME_FILL_ITEMS = 256;

/** Looking for a log costs an eighth of verifying an item, also when there is nothing to send. */
const LOGS_OF_TOKEN = 8;

/** Tokens that an unsound item costs on top: 10 of them a second, at a member's rate. */
const REFUSED_COST = 50;

export class Conversation {
  readonly #channel: Channel;
  readonly #takes: Pace;
  readonly #gives: Pace;

  /** @param peer - Its paces are for all its channels together. */
  constructor(channel: Channel, peer: { readonly takes: Pace; readonly gives: Pace }) {
    this.#channel = channel;
    this.#takes = peer.takes;
    this.#gives = peer.gives;
  }

  get peer(): SiteId {
    return this.#channel.peer;
  }

  async say(message: SyncMessage): Promise<void> {
    const frame = encodeSyncMessage(message);
    await this.#gives.take(frame.length / 4096);
    await this.#channel.send(frame);
  }

  /**
   * The next message, or undefined after the peer's end.
   *
   * @throws SyncError when the peer refuses to go on; SyncMessageError for bytes that are none.
   */
  async hearAny(): Promise<SyncMessage | undefined> {
    const frame = await this.#channel.receive(ANSWER_TIMEOUT_MS);
    if (frame === undefined) return undefined;
    await this.#takes.take(1 + frame.length / 4096);
    const message = decodeSyncMessage(frame);
    if (message.kind === "refusal") throw refused(message.code);
    return message;
  }

  /** @throws SyncError, too, when the next message is of another kind, or there is none. */
  async hear<Kind extends SyncMessageKind>(kind: Kind): Promise<SyncMessageOf<Kind>> {
    const message = await this.hearAny();
    if (message?.kind !== kind) {
      throw new SyncError("E-SYNC-ORDER", `Not ${kind} but ${message?.kind ?? "the end"} came.`);
    }
    return message as SyncMessageOf<Kind>;
  }

  /** Pays for the work on items. What their bytes cost is paid with the frame. */
  async payFor(items: readonly Uint8Array[]): Promise<void> {
    await this.#takes.take(items.length);
  }

  /** Pays for looking into logs that the peer asks for: a short question must not cost much work. */
  async payForAsked(logs: number): Promise<void> {
    await this.#takes.take(logs / LOGS_OF_TOKEN);
  }

  /** Makes a peer that sends what is unsound wait for its next turn. */
  async payForRefused(items: number): Promise<void> {
    if (items > 0) await this.#takes.take(items * REFUSED_COST);
  }

  end(): Promise<void> {
    return this.#channel.end();
  }
}

/** The HELLO of this node, as its state is at this moment. */
export function makeHello(use: SyncHello["use"], mesh: MeshId, replica: Replica): SyncHello {
  return {
    v: 1,
    kind: "hello",
    use,
    mesh,
    ...SYNC_VERSIONS,
    features: [],
    statements: replica.statementDigest(),
    state: replica.stateDigest(),
  };
}

/** What this node holds durably at this moment. */
export function makeDone(replica: Replica): SyncMessageOf<"done"> {
  return {
    v: 1,
    kind: "done",
    statements: replica.statementDigest(),
    state: replica.stateDigest(),
  };
}

/** Whether a peer that said so holds what this node holds. */
export function isEqual(said: Pick<SyncHello, "statements" | "state">, replica: Replica): boolean {
  return said.statements === replica.statementDigest() && said.state === replica.stateDigest();
}

/** Stands for all 16 buckets of a class. */
export function classDigestOf(buckets: readonly string[]): string {
  return toHex(sha256("pleach/class/1\0", ...buckets));
}

/** The answer to a HELLO in a round: of another state it tells which classes may differ. */
export function answerHello(hello: SyncHello, mesh: MeshId, replica: Replica): SyncHello {
  const own = makeHello("round", mesh, replica);
  if (own.state === hello.state) return own;
  const digests = CLASS_GROUPS.map((name) => [name, classDigestOf(replica.classDigest(name))]);
  return { ...own, classes: Object.fromEntries(digests) as Record<string, string> };
}

/**
 * Why this node will not talk to the sender of a HELLO, if so.
 *
 * Both sides take the newest version that both speak; with today's single one there is no choice.
 */
export function objection(hello: SyncHello, mesh: MeshId | undefined): "mesh" | "version" | null {
  if (hello.mesh !== mesh) return "mesh";
  const newest = Math.min(hello.newest, SYNC_VERSIONS.newest);
  return newest < Math.max(hello.oldest, SYNC_VERSIONS.oldest) ? "version" : null;
}

/** Cuts items into frames, each with at least one. The last is told apart; there always is one. */
export async function* inFrames(
  items: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<{ readonly items: readonly Uint8Array[]; readonly more: boolean }> {
  let frame: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const item of items) {
    const full = sizeBytes + item.length > FRAME_FILL_BYTES || frame.length >= FRAME_FILL_ITEMS;
    if (full && frame.length > 0) {
      yield { items: frame, more: true };
      frame = [];
      sizeBytes = 0;
    }
    frame.push(item);
    sizeBytes += item.length;
  }
  yield { items: frame, more: false };
}

function refused(code: SyncMessageOf<"refusal">["code"]): SyncError {
  switch (code) {
    case "mesh":
      return new SyncError("E-SYNC-MESH", "The peer belongs to another mesh.");
    case "version":
      return new SyncError("E-SYNC-VERSION", "The peer speaks no version of ours.", {
        hint: "Upgrade the older of the two sites.",
      });
    case "busy":
      return new SyncError("E-SYNC-BUSY", "The peer has enough exchanges with us under way.");
    case "form":
      return new SyncError("E-SYNC-ORDER", "The peer did not understand us.");
  }
}
