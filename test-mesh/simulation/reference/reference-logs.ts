/**
 * What each log says, computed from nothing but its entries: slowly, and without a line of the
 * code that the daemon does it with.
 */
import { applyUpdate, Doc } from "yjs";
import type { Authority } from "../../../daemon/core/authority/authority.ts";
import { clientIdOf, type Envelope } from "../../../protocol/logs/envelope.ts";
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import { unpackVersion, type RecordVersion } from "../../../protocol/logs/record-version.ts";

export interface ReferenceVersion extends RecordVersion {
  readonly key: string;
  /** The entry that brought it. */
  readonly seq: number;
}

/** A log as far as it counts. */
export interface ReferenceLog {
  readonly log: LogId;
  readonly author: SiteId;
  readonly class: string;
  readonly part: number;
  readonly seq: number;
  /** Its newest counting snapshot. */
  readonly snapshot: Envelope;
  readonly versions: readonly ReferenceVersion[];
}

type End = { readonly seq: number; readonly head: string };

/** @param lower - Ends logs earlier than authority does; undefined: leaves it at that. */
export function referenceLogs(
  authority: Authority,
  envelopes: Iterable<Envelope>,
  lower?: (log: LogId) => End | "none",
): ReferenceLog[] {
  const logs: ReferenceLog[] = [];
  for (const [log, entries] of Map.groupBy(envelopes, (each) => each.log)) {
    const author = entries[0]?.header.author;
    if (author === undefined) continue;
    const limits = [limitOf(authority, author, log), lower?.(log) ?? "open"];
    if (limits.includes("none")) continue;
    const [limit] = limits
      .filter((each) => typeof each === "object")
      .toSorted((a, b) => a.seq - b.seq);
    const path = pathOf(entries, limit);
    const snapshot = path.findLast(({ header }) => header.kind === "SNAP");
    const last = path.at(-1);
    if (snapshot === undefined || last === undefined) continue;
    const { class: recordClass, part } = last.header;
    const versions = versionsOf(log, path.slice(path.indexOf(snapshot)));
    logs.push({ log, author, class: recordClass, part, seq: last.header.seq, snapshot, versions });
  }
  return logs;
}

function limitOf(authority: Authority, author: SiteId, log: LogId): End | "open" | "none" {
  if (!authority.sites.has(author) && !authority.endedSites.has(author)) return "none";
  if (!authority.mayOpenLogs(author) && !authority.forkedLogs.has(log)) return "none";
  return authority.logLimit(author, log);
}

/** The longest line of entries that goes back to a snapshot and does not pass the limit. */
function pathOf(entries: readonly Envelope[], limit: End | undefined): Envelope[] {
  const byId = new Map<string, Envelope>(entries.map((each) => [each.id, each]));
  const back = (last: Envelope): Envelope[] => {
    const path: Envelope[] = [];
    for (let at: Envelope | undefined = last; at !== undefined;) {
      path.unshift(at);
      at = at.header.prev === null ? undefined : byId.get(at.header.prev);
    }
    const first = path.findIndex(({ header }) => header.kind === "SNAP");
    return first === -1 ? [] : path.slice(first);
  };
  const named = limit === undefined ? undefined : byId.get(limit.head);
  if (named !== undefined) return back(named);
  const most = limit === undefined ? Infinity : limit.seq - 1;
  const within = entries
    .filter(({ header }) => header.seq <= most)
    .toSorted((a, b) => b.header.seq - a.header.seq);
  for (const last of within) {
    const path = back(last);
    if (path.length > 0) return path;
  }
  return [];
}

/** @param path - A snapshot, and the entries after it. @throws Error when Yjs keeps anything back. */
function versionsOf(log: LogId, path: readonly Envelope[]): ReferenceVersion[] {
  const document = new Doc();
  const first = path[0]?.header.seq ?? 0;
  document.clientID = clientIdOf(log, first) + 1;
  const map = document.getMap("r");
  const seqs = new Map<string, number>();
  for (const { header, payload } of path) {
    if (header.kind !== "SNAP" && header.kind !== "UPD") continue;
    const note = (event: { keysChanged: Set<unknown> }): void => {
      for (const key of event.keysChanged) seqs.set(String(key), header.seq);
    };
    map.observe(note);
    applyUpdate(document, payload);
    map.unobserve(note);
    const { pendingStructs, pendingDs } = document.store;
    if (pendingStructs !== null || pendingDs !== null)
      throw new Error(`${log} waits for something`);
  }
  return [...map.entries()].flatMap(([key, packed]) => {
    const version = unpackVersion(packed);
    return version === undefined ? [] : [{ ...version, key, seq: seqs.get(key) ?? 0 }];
  });
}
