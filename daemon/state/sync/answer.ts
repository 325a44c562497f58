/** The answering side of a round: it tells what it holds and sends what it is asked for. */
import type { SiteId } from "../../../protocol/ids.ts";
import { readEnvelope } from "../../../protocol/logs/envelope.ts";
import { MAX_SHOWN_PLACES, type SyncMessageOf } from "../../../protocol/messages/sync-message.ts";
import { CLASS_GROUPS } from "../../../protocol/logs/record-class.ts";
import type { Replica } from "../replica.ts";
import { inFrames, makeDone, type Conversation } from "./conversation.ts";
import { takePush, type PushTally } from "./push.ts";
import type { RecentItems } from "./recent-items.ts";
import { SyncError } from "./sync-error.ts";

/** Entries of a list in one frame: at 120 bytes each, well below the largest frame. */
const LIST_FILL = 1024;

/**
 * Answers until the peer ends. Rejects when it leaves the order of the exchange.
 *
 * @returns what the peer holds at the end, if it told.
 */
export async function answerRound(
  talk: Conversation,
  replica: Replica,
  recentItems: RecentItems,
  tally: PushTally,
): Promise<SyncMessageOf<"done"> | undefined> {
  let done: SyncMessageOf<"done"> | undefined;
  for (;;) {
    const message = await talk.hearAny();
    if (message === undefined) break;
    switch (message.kind) {
      case "statement-ids-wanted":
        for (const { list, more } of pages(replica.statementIds())) {
          await talk.say({ v: 1, kind: "statement-ids", ids: [...list], more });
        }
        break;
      case "statements-wanted":
        for await (const { items, more } of inFrames(statements(replica, message.ids))) {
          await talk.say({ v: 1, kind: "statements", items: [...items], more });
        }
        break;
      case "digests-wanted":
        await talk.say({ v: 1, kind: "digests", classes: digests(replica, message.classes) });
        break;
      case "vectors-wanted":
        for (const { list, more } of pages(positions(replica, message, talk.peer))) {
          await talk.say({ v: 1, kind: "vectors", logs: [...list], more });
        }
        break;
      case "envelopes-wanted":
        await talk.payForAsked(message.logs.length);
        for await (const { items, more } of inFrames(envelopes(replica, message))) {
          await talk.say({ v: 1, kind: "envelopes", items: [...items], more });
        }
        break;
      case "headers-wanted": {
        const headers = replica.headersOf(message.log, message.after, message.of);
        for await (const { items, more } of inFrames(headers)) {
          // Each was read as a whole entry, of which little goes over the line.
          await talk.payFor(items);
          await talk.say({ v: 1, kind: "headers", items: [...items], more });
          break;
        }
        break;
      }
      case "stored":
        for (const { log, seq } of message.logs) replica.noteConfirmed(log, seq, talk.peer);
        break;
      case "push":
        await takePush(talk, replica, recentItems, message, tally);
        break;
      case "done":
        done = message;
        await talk.say(makeDone(replica));
        break;
      case "hello":
      case "statement-ids":
      case "statements":
      case "digests":
      case "vectors":
      case "envelopes":
      case "headers":
      case "pushed":
      case "refusal":
        throw new SyncError("E-SYNC-ORDER", `${message.kind} is no question of a round.`);
    }
  }
  await talk.end();
  return done;
}

function* statements(
  replica: Replica,
  ids: SyncMessageOf<"statements-wanted">["ids"],
): Generator<Uint8Array> {
  for (const id of ids) {
    const bytes = replica.statement(id);
    if (bytes !== undefined) yield bytes;
  }
}

async function* envelopes(
  replica: Replica,
  { logs }: SyncMessageOf<"envelopes-wanted">,
): AsyncGenerator<Uint8Array> {
  for (const { log, after, to = Infinity } of logs) {
    for await (const bytes of replica.envelopesFrom(log, after)) {
      if (to !== Infinity && readEnvelope(bytes).header.seq > to) break;
      yield bytes;
    }
  }
}

function digests(replica: Replica, asked: readonly string[]): Record<string, string[]> {
  const known = CLASS_GROUPS.filter((name) => asked.includes(name));
  return Object.fromEntries(known.map((name) => [name, [...replica.classDigest(name)]]));
}

function positions(
  replica: Replica,
  asked: SyncMessageOf<"vectors-wanted">,
  peer: SiteId,
): SyncMessageOf<"vectors">["logs"] {
  const known = CLASS_GROUPS.find((name) => name === asked.class);
  if (known === undefined) return [];
  const buckets = [...new Set(asked.buckets)].toSorted((a, b) => a - b);
  return buckets.flatMap((bucket) =>
    replica.vector(known, bucket).map(({ log, seq, head, fromSeq, author, shows }) => {
      const more = shows === undefined ? {} : { shows: shows.slice(0, MAX_SHOWN_PLACES) };
      const place = { log, seq, head, fromSeq, ...more };
      return author === peer ? { ...place, yours: true as const } : place;
    }),
  );
}

function* pages<Entry>(
  all: readonly Entry[],
): Generator<{ readonly list: readonly Entry[]; readonly more: boolean }> {
  let from = 0;
  do {
    const list = all.slice(from, from + LIST_FILL);
    from += LIST_FILL;
    yield { list, more: from < all.length };
  } while (from < all.length);
}
