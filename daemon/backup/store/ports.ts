/** What the network side of backups needs from the rest of the daemon; filled in `main.ts`. */
import type { Authority } from "../../core/authority/authority.ts";
import type { View, ViewEntry } from "../../core/logs/view.ts";
import type { MeshId, SiteId } from "../../../protocol/ids.ts";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import type { RecordClass } from "../../../protocol/logs/record-class.ts";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";

export interface StateChange {
  readonly class: RecordClass;
  readonly key: string;
  readonly value: JsonValue | undefined;
}

/** The replicated state. */
export interface BackupState {
  /** Undefined until the site is in a mesh. */
  readonly meshId: MeshId | undefined;
  authority(): Authority;
  view(): View;
  statements(): readonly SignedStatement[];
  /** Writes records of this site; resolves when they are durable. */
  write(changes: readonly StateChange[]): Promise<unknown>;
  /** Calls back after each change of statements or of the view. Returns what ends that. */
  subscribe(listener: () => void): () => void;
  /** The other sites that have confirmed an own record, durably. */
  confirmedBy(entry: ViewEntry): readonly SiteId[];
}

/** Provider records of the DHT: hints about who holds data, never truth. */
export interface ProviderRecords {
  provide(key: Uint8Array): Promise<void>;
  findProviders(key: Uint8Array, timeoutMs: number): Promise<readonly SiteId[]>;
}
