/**
 * Push: what is new goes to each linked peer at once, and the peer says what became of it.
 *
 * One exchange with a peer at a time; what comes up meanwhile goes into the next one, so a slow
 * peer gets larger pushes and never a queue that grows.
 */
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import type { SyncHello, SyncMessageOf } from "../../../protocol/messages/sync-message.ts";
import type { Reception, Replica } from "../replica.ts";
import { isPeersFault } from "./blame.ts";
import type { Conversation } from "./conversation.ts";
import type { RecentItem, RecentItems } from "./recent-items.ts";
import { SyncError } from "./sync-error.ts";

/** What waits for one peer; beyond it the peer is told to come for the rest in a round. */
const MAX_QUEUE_BYTES = 1024 * 1024;
/** Of items in one frame; one of the largest goes alone. */
const FRAME_FILL_BYTES = 64 * 1024;
const FRAME_FILL_ITEMS = 128;

type Result = SyncMessageOf<"pushed">["results"][number];

export interface PushItem {
  readonly kind: "statement" | "envelope";
  readonly bytes: Uint8Array;
  /** Place of an envelope. */
  readonly at: { readonly log: LogId; readonly seq: number } | undefined;
  readonly recent: RecentItem;
}

/** What waits to be pushed to one peer. */
export class PushQueue {
  #items: PushItem[] = [];
  #sizeBytes = 0;

  /** False when the queue is full: it is emptied, and only a round can bring the peer up to date. */
  add(item: PushItem): boolean {
    this.#items.push(item);
    this.#sizeBytes += item.bytes.length;
    if (this.#sizeBytes <= MAX_QUEUE_BYTES) return true;
    this.clear();
    return false;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  clear(): void {
    this.#items = [];
    this.#sizeBytes = 0;
  }

  /** The next frame's items, without those that the peer is known to hold by now. */
  take(holds: (item: PushItem) => boolean): PushItem[] {
    const taken: PushItem[] = [];
    let sizeBytes = 0;
    let used = 0;
    for (const item of this.#items) {
      const full = sizeBytes + item.bytes.length > FRAME_FILL_BYTES;
      if (taken.length >= FRAME_FILL_ITEMS || (full && taken.length > 0)) break;
      used++;
      this.#sizeBytes -= item.bytes.length;
      if (holds(item)) continue;
      taken.push(item);
      sizeBytes += item.bytes.length;
    }
    this.#items = this.#items.slice(used);
    return taken;
  }
}

/** Sends one frame's items and notes what the peer says it has stored. */
export async function sendPush(
  talk: Conversation,
  replica: Replica,
  items: readonly PushItem[],
): Promise<void> {
  const statements = items.filter(({ kind }) => kind === "statement");
  const envelopes = items.filter(({ kind }) => kind === "envelope");
  await talk.say({
    v: 1,
    kind: "push",
    statements: statements.map(({ bytes }) => bytes),
    envelopes: envelopes.map(({ bytes }) => bytes),
  });
  const { results } = await talk.hear("pushed");
  if (results.length !== items.length) {
    throw new SyncError("E-SYNC-ORDER", `${results.length} results for ${items.length} items.`);
  }
  for (const [index, item] of [...statements, ...envelopes].entries()) {
    if (results[index] !== "stored") continue;
    item.recent.holders.add(talk.peer);
    if (item.at !== undefined) replica.noteConfirmed(item.at.log, item.at.seq, talk.peer);
  }
}

/** A round finds the statement that names the author, or the proof of the fork. */
const NEEDS_ROUND: readonly string[] = ["E-STATE-AUTHOR", "E-STATE-FORK"];

/** What pushes of a peer brought that matters after them. */
export class PushTally {
  /** The digest of the peer's statements. */
  readonly statements: string;
  /** Something came that needs more than was pushed, or does not fit what is here. */
  roundIsDue = false;
  /** By the peer's fault. */
  refused = 0;

  constructor(hello: Pick<SyncHello, "statements">) {
    this.statements = hello.statements;
  }

  note(reception: Reception): void {
    if (reception === "waiting") this.roundIsDue = true;
    if (typeof reception !== "object") return;
    if (isPeersFault(reception.refused)) this.refused++;
    else if (NEEDS_ROUND.includes(reception.refused)) this.roundIsDue = true;
  }
}

/** Takes pushes until the peer ends. */
export async function answerPush(
  talk: Conversation,
  replica: Replica,
  recentItems: RecentItems,
  tally: PushTally,
): Promise<void> {
  for (;;) {
    const message = await talk.hearAny();
    if (message === undefined) break;
    if (message.kind !== "push") {
      throw new SyncError("E-SYNC-ORDER", `${message.kind} is no part of a push.`);
    }
    await takePush(talk, replica, recentItems, message, tally);
  }
  await talk.end();
}

/** Takes one push, and says what became of it. */
export async function takePush(
  talk: Conversation,
  replica: Replica,
  recentItems: RecentItems,
  { statements, envelopes }: SyncMessageOf<"push">,
  tally: PushTally,
): Promise<void> {
  const take = async (
    bytes: Uint8Array,
    receive: (bytes: Uint8Array, from: SiteId) => Promise<Reception>,
  ): Promise<Result> => {
    const recent = recentItems.of(bytes);
    recent.holders.add(talk.peer);
    recent.pushed = true;
    if (recent.stored) return "stored";
    const reception = await receive(bytes, talk.peer);
    tally.note(reception);
    const result = resultOf(reception);
    if (result === "stored") recent.stored = true;
    return result;
  };
  const sameStatements = tally.statements === replica.statementDigest();
  // Its author may stand in a statement that this node lacks: that comes first, in a round.
  const isEarly = (bytes: Uint8Array): boolean =>
    !sameStatements && replica.authorOf(bytes) === "unknown";
  const before = tally.refused;
  await talk.payFor([...statements, ...envelopes]);
  // All at once and in order: the state syncs what comes together in one write.
  const results = await Promise.all([
    ...statements.map((each) => take(each, (own, from) => replica.receiveStatement(own, from))),
    ...envelopes.map((each) =>
      take(each, async (own, from) =>
        isEarly(own) ? { refused: "E-STATE-AUTHOR" } : replica.receiveEnvelope(own, from),
      ),
    ),
  ]);
  await talk.payForRefused(tally.refused - before);
  await talk.say({ v: 1, kind: "pushed", results });
}

function resultOf(reception: Reception): Result {
  if (typeof reception === "object") return "refused";
  return reception === "waiting" ? "kept" : "stored";
}
