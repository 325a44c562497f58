/**
 * Puts the entries in the store back on the shelf, at the start and when rights have changed.
 *
 * Nothing but the entries themselves is trusted: a record that the store lost or damaged ends
 * its log there. What is of no use after that is deleted, and replication brings it again.
 */
import { readStoredEnvelope, type Envelope } from "../../protocol/envelope.ts";
import type { Authority } from "../core/authority.ts";
import type { Store, StoreChange } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import { cutOff } from "./cutoff.ts";
import { HeldLog } from "./held-log.ts";
import { ENTRIES, entryKey } from "./keys.ts";
import { rebuildDocument } from "./rebuild.ts";
import type { Shelf } from "./shelf.ts";

/**
 * Reads all entries, then builds the documents of the logs that say something of their own.
 *
 * @returns The highest Lamport number in any entry.
 */
export async function loadLogs(
  store: Store,
  shelf: Shelf,
  authority: Authority,
  log: Logger,
): Promise<number> {
  let lamport = 0;
  if (authority.meshId === undefined) return lamport;
  const useless: StoreChange[] = [];
  for await (const [key, bytes] of store.entries(ENTRIES)) {
    const envelope = open(key, bytes, log);
    if (envelope === undefined || envelope.header.mesh !== authority.meshId) {
      useless.push({ kind: "delete", key });
      continue;
    }
    lamport = Math.max(lamport, envelope.header.lamport);
    let held = shelf.get(envelope.log);
    if (held === undefined) {
      held = new HeldLog(envelope.log, envelope.header);
      shelf.add(held);
    }
    if (follows(held, envelope)) held.append(envelope);
    else {
      log.error("a stored log has a gap", { log: held.log, at: envelope.header.seq });
      useless.push({ kind: "delete", key });
    }
  }
  if (useless.length > 0) await store.write(useless, "durable");
  shelf.recountRetirements();
  cutOff(shelf, authority, log);
  for (const held of shelf.all()) {
    if (shelf.isLive(held)) held.document = await rebuildDocument(store, held);
  }
  return lamport;
}

/**
 * Ends the logs of replaced sites, after statements have changed.
 *
 * @param flush - Writes what is staged: documents are built anew from the store.
 * @returns The logs whose last counting entry is another one now.
 */
export async function applyCutoffs(
  store: Store,
  shelf: Shelf,
  authority: Authority,
  log: Logger,
  flush: () => Promise<void>,
): Promise<ReadonlySet<HeldLog>> {
  const cut = cutOff(shelf, authority, log);
  if (cut.size === 0) return cut;
  await flush();
  for (const held of shelf.all()) {
    const live = shelf.isLive(held);
    if (!live) held.document = undefined;
    else if (cut.has(held) || held.document === undefined) {
      held.document = await rebuildDocument(store, held);
    }
  }
  return cut;
}

function follows(held: HeldLog, { header }: Envelope): boolean {
  if (header.kind === "SNAP") return true;
  return held.seq > 0 && header.seq === held.seq + 1 && header.prev === held.head;
}

function open(key: string, bytes: Uint8Array, log: Logger): Envelope | undefined {
  try {
    const envelope = readStoredEnvelope(bytes);
    if (key === entryKey(envelope.log, envelope.header.seq)) return envelope;
    log.error("a stored entry lies in the wrong place", { key });
  } catch (error) {
    log.error("a stored entry is damaged", { key, error: String(error) });
  }
  return undefined;
}
