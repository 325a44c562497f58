/**
 * Puts the entries in the store back on the shelf at the start.
 *
 * Nothing but the entries themselves is trusted: a record that the store lost or damaged ends
 * its log there. What is of no use after that is deleted, and replication brings it again.
 */
import { decodeCbor } from "../../protocol/encoding/cbor.ts";
import {
  EnvelopeError,
  readEnvelope,
  readStoredEnvelope,
  type Envelope,
} from "../../protocol/logs/envelope.ts";
import type { LogId, MeshId } from "../../protocol/ids.ts";
import { decodeSignedHeader, encodeSignedHeader } from "../../protocol/logs/signed-header.ts";
import type { Store, StoreChange } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import { HeldLog } from "./held-log.ts";
import { ENTRIES, entryKey, HEADERS, headerKey, RECEIVED } from "./keys.ts";
import type { Shelf } from "./shelf.ts";

/**
 * Reads all headers and entries. What counts of them is not judged yet.
 *
 * @param nowMs - When something came of which that is not known.
 * @param noteEntry - Is told of every entry that is put on the shelf.
 */
export async function loadLogs(
  store: Store,
  shelf: Shelf,
  meshId: MeshId,
  nowMs: number,
  log: Logger,
  noteEntry: (envelope: Envelope) => void,
): Promise<void> {
  const received = await readReceived(store, nowMs);
  const useless: StoreChange[] = [];
  const missing: StoreChange[] = [];
  for await (const [key, bytes] of store.entries(HEADERS)) {
    const signed = open(key, bytes, decodeSignedHeader, headerKey, log);
    if (signed === undefined || signed.header.mesh !== meshId) {
      useless.push({ kind: "delete", key });
      continue;
    }
    const { id, header } = signed;
    logOf(shelf, signed).noteHeader({ ...header, id }, bytes.length);
  }
  for await (const [key, bytes] of store.entries(ENTRIES)) {
    const envelope = open(key, bytes, readStoredEnvelope, entryKey, log);
    if (envelope === undefined || envelope.header.mesh !== meshId) {
      useless.push({ kind: "delete", key });
      continue;
    }
    const held = logOf(shelf, envelope);
    if (follows(held, envelope)) {
      const { id, header, bytes: stored } = envelope;
      if (header.kind === "SNAP" && !held.hasHeader(header.seq)) {
        const { headerBytes, signature } = readEnvelope(stored);
        const value = encodeSignedHeader(headerBytes, signature);
        missing.push({ kind: "put", key: headerKey(held.log, header.seq), value });
        held.noteHeader({ ...header, id }, value.length);
      }
      held.append(envelope, received.get(key.slice(ENTRIES.from.length)) ?? nowMs);
      noteEntry(envelope);
    } else {
      log.error("a stored log has a gap", { log: held.log, at: envelope.header.seq });
      useless.push({ kind: "delete", key });
    }
  }
  for (const name of shelf.lineages()) shelf.judgeAnew(name);
  const changes = [...useless, ...missing];
  if (changes.length > 0) await store.write(changes, "durable");
}

/** By what stands behind the prefix of the key; never later than now, whatever the clock said. */
async function readReceived(store: Store, nowMs: number): Promise<Map<string, number>> {
  const received = new Map<string, number>();
  for await (const [key, bytes] of store.entries(RECEIVED)) {
    let wallMs;
    try {
      wallMs = decodeCbor(bytes, 16);
    } catch {
      continue;
    }
    if (typeof wallMs !== "number") continue;
    received.set(key.slice(RECEIVED.from.length), Math.min(wallMs, nowMs));
  }
  return received;
}

function logOf(shelf: Shelf, of: { readonly log: LogId } & Pick<Envelope, "header">): HeldLog {
  const known = shelf.get(of.log);
  if (known !== undefined) return known;
  const held = new HeldLog(of.log, of.header);
  shelf.add(held);
  return held;
}

function follows(held: HeldLog, { header }: Envelope): boolean {
  if (header.kind === "SNAP") return true;
  const { storedSeq } = held;
  return storedSeq > 0 && header.seq === storedSeq + 1 && header.prev === held.idAt(storedSeq);
}

function open<Item extends { readonly log: LogId } & Pick<Envelope, "header">>(
  key: string,
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => Item,
  keyOf: (log: LogId, seq: number) => string,
  log: Logger,
): Item | undefined {
  try {
    const item = decode(bytes);
    if (key === keyOf(item.log, item.header.seq)) return item;
    log.error("a stored entry lies in the wrong place", { key });
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error;
    log.error("a stored entry is damaged", { key, error: String(error) });
  }
  return undefined;
}
