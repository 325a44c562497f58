/**
 * Everything that any honest site has ever announced as durable, pruned and lost or not.
 *
 * It is what the invariants are checked against: no node of the mesh has so much.
 */
import type { NewItem } from "../../daemon/state/replica.ts";
import { decodeEnvelope, type Envelope } from "../../protocol/logs/envelope.ts";
import type { LogId, StatementId } from "../../protocol/ids.ts";

export class Archive {
  readonly #envelopes = new Map<string, Envelope>();
  readonly #statements = new Map<StatementId, Uint8Array>();

  note({ kind, id, bytes }: NewItem): void {
    if (kind === "statement") this.#statements.set(id as StatementId, bytes);
    else if (!this.#envelopes.has(id)) this.#envelopes.set(id, decodeEnvelope(bytes));
  }

  get envelopes(): Iterable<Envelope> {
    return this.#envelopes.values();
  }

  /** By id, as bytes that travel. */
  get statements(): ReadonlyMap<StatementId, Uint8Array> {
    return this.#statements;
  }

  /** All entries for each place of each log; more than one at a place is a fork. */
  byPlace(): ReadonlyMap<`${LogId}/${number}`, readonly Envelope[]> {
    return Map.groupBy(
      this.#envelopes.values(),
      ({ log, header }) => `${log}/${header.seq}` as const,
    );
  }
}
