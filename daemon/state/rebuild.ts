/**
 * Builds the document of a log anew from the entries in the store.
 */
import { readStoredEnvelope, type Envelope } from "../../protocol/envelope.ts";
import { LogDocument } from "../core/log-document.ts";
import type { Store } from "../core/store.ts";
import type { HeldLog } from "./held-log.ts";
import { entriesFrom } from "./keys.ts";

/**
 * The document at the log's last counting entry. Undefined when no entry counts, and when the
 * store no longer has what is needed.
 */
export async function rebuildDocument(
  store: Store,
  held: HeldLog,
): Promise<LogDocument | undefined> {
  const start = held.snapshotBefore(held.seq);
  if (start === 0) return undefined;
  let document: LogDocument | undefined;
  for await (const [, bytes] of store.entries(entriesFrom(held.log, start))) {
    const envelope = readStoredEnvelope(bytes);
    if (envelope.header.seq > held.seq) break;
    // What a later version put after this shows with the next snapshot.
    const { kind } = envelope.header;
    if (kind !== "SNAP" && kind !== "UPD") break;
    document = step(document, envelope);
    if (document === undefined) return undefined;
  }
  return document;
}

/** The document after one more entry; undefined when the entry does not fit it. */
function step(document: LogDocument | undefined, envelope: Envelope): LogDocument | undefined {
  if (envelope.header.kind === "SNAP") {
    const started = LogDocument.start(envelope);
    return typeof started === "string" ? undefined : started;
  }
  return document?.apply(envelope) === undefined ? document : undefined;
}
