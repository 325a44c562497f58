/**
 * Goes through a peer's headers of one log: for the place where two histories of it part, or for
 * the chain of snapshots behind a beginning that is pruned.
 *
 * Snapshots come first. They are few, they outlive the entries between them, and the last one that
 * both sides know bounds where to look among the entries.
 */
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import { readSignedHeader } from "../../../protocol/signed-header.ts";
import type { HeaderKind, HeaderReception, Replica } from "../replica.ts";
import { SyncError } from "./sync-error.ts";

/** Of about 64 KiB each: a log with more snapshots, or more entries between two, is not honest. */
const MAX_PAGES = 256;

/** How the walk speaks with the peer. */
export interface HeaderTalk {
  readonly peer: SiteId;
  /** One page of headers, ascending from behind `after`; paid for. */
  ask(
    log: LogId,
    after: number,
    of: HeaderKind,
  ): Promise<{ readonly items: readonly Uint8Array[]; readonly more: boolean }>;
  /** The peer sent a header that is not sound. */
  countRefused(): void;
}

/**
 * Looks for the place where the peer's history of a log parts from the one held here.
 *
 * @param lastSeq - The last place to look at.
 * @returns whether a fork was proven.
 */
export async function compareHeaders(
  talk: HeaderTalk,
  replica: Replica,
  log: LogId,
  lastSeq: number,
): Promise<boolean> {
  let common = 0;
  for (const which of ["snapshots", "entries"] as const) {
    for await (const { seq, told } of walk(talk, replica, log, common, which)) {
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
  talk: HeaderTalk,
  replica: Replica,
  log: LogId,
  afterSeq: number,
): Promise<boolean> {
  for await (const { told } of walk(talk, replica, log, afterSeq, "snapshots")) {
    if (told !== "kept" && told !== "known") return false;
  }
  return true;
}

async function* walk(
  talk: HeaderTalk,
  replica: Replica,
  log: LogId,
  afterSeq: number,
  of: HeaderKind,
): AsyncGenerator<{ readonly seq: number; readonly told: HeaderReception }> {
  let last = afterSeq;
  for (let page = 0; page < MAX_PAGES; page++) {
    const { items, more } = await talk.ask(log, last, of);
    for (const bytes of items) {
      const told = await replica.receiveHeader(bytes, talk.peer);
      if (typeof told === "object") {
        talk.countRefused();
        return;
      }
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
