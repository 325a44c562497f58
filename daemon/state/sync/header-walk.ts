/**
 * Goes through a peer's headers of one log: for the place where two histories of it part, or for
 * the chain of snapshots behind a beginning that is pruned.
 *
 * Snapshots come first. They are few, they outlive the entries between them, and the last one that
 * both sides know bounds where to look among the entries.
 */
import type { LogId } from "../../../protocol/ids.ts";
import { readSignedHeader } from "../../../protocol/logs/signed-header.ts";
import type { HeaderKind, HeaderReception } from "../replica.ts";
import type { Asking } from "./asking.ts";
import { SyncError } from "./sync-error.ts";

/** Of about 64 KiB each: a log with more snapshots, or more entries between two, is not honest. */
const MAX_PAGES = 256;

/**
 * Looks for the place where the peer's history of a log parts from the one held here.
 *
 * @param lastSeq - The last place to look at.
 * @returns whether a fork was proven.
 */
export async function compareHeaders(
  asking: Asking,
  log: LogId,
  lastSeq: number,
): Promise<boolean> {
  let common = 0;
  for (const which of ["snapshots", "entries"] as const) {
    for await (const { seq, told } of walk(asking, log, common, which)) {
      if (told === "forked") return true;
      if (seq > lastSeq) break;
      if (told === "known" || told === "kept") common = seq;
      else if (which === "snapshots") break;
    }
  }
  return false;
}

/**
 * Takes the headers of a log's snapshots from behind a place, so that a snapshot may follow on them.
 *
 * @returns false when they do not follow on what is held here.
 */
export async function takeSnapshotChain(
  asking: Asking,
  log: LogId,
  afterSeq: number,
): Promise<boolean> {
  for await (const { told } of walk(asking, log, afterSeq, "snapshots")) {
    if (told !== "kept" && told !== "known") return false;
  }
  return true;
}

async function* walk(
  asking: Asking,
  log: LogId,
  afterSeq: number,
  of: HeaderKind,
): AsyncGenerator<{ readonly seq: number; readonly told: HeaderReception }> {
  let last = afterSeq;
  for (let page = 0; page < MAX_PAGES; page++) {
    await asking.talk.say({ v: 1, kind: "headers-wanted", log, after: last, of });
    const { items, more } = await asking.hear("headers");
    await asking.talk.payFor(items);
    for (const bytes of items) {
      const told = await asking.replica.receiveHeader(bytes, asking.talk.peer);
      asking.note(told);
      if (typeof told === "object") return;
      // Sound by now: what is not was refused.
      const signed = readSignedHeader(bytes);
      const { seq } = signed.header;
      if (signed.log !== log || seq <= last) {
        throw new SyncError("E-SYNC-ORDER", "Other headers came than were asked for.");
      }
      last = seq;
      yield { seq, told };
    }
    if (!more || items.length === 0) return;
  }
}
