/**
 * The signed header of an entry that is held, or of a snapshot that was pruned.
 */
import { readEnvelope } from "../../protocol/logs/envelope.ts";
import type { LogId } from "../../protocol/ids.ts";
import { encodeSignedHeader } from "../../protocol/logs/signed-header.ts";
import type { Store } from "../core/store.ts";
import { entryKey, headerKey } from "./keys.ts";

/** @returns undefined when the store has neither. */
export async function signedHeaderAt(
  store: Store,
  log: LogId,
  seq: number,
): Promise<Uint8Array | undefined> {
  const entry = await store.get(entryKey(log, seq));
  if (entry === undefined) return store.get(headerKey(log, seq));
  const { headerBytes, signature } = readEnvelope(entry);
  return encodeSignedHeader(headerBytes, signature);
}
