/** What marks, policies and verdicts need of the state; filled in the composition root. */
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import type { SiteId } from "../../protocol/ids.ts";
import type { View } from "../core/logs/view.ts";

export interface ServiceRecords {
  readonly siteId: SiteId;
  view(): View;
  /** A site by its name or identifier, also one that is no member any more. */
  site(text: string): KnownSite | undefined;
  /** Names of the members. */
  siteNames(): readonly string[];
  /** Whether this site may write a record of class `policy`. */
  mayWrite(key: string): boolean;
  /** Durable when it resolves; undefined deletes. */
  write(change: {
    readonly class: "policy" | "note";
    readonly key: string;
    readonly value: JsonValue | undefined;
  }): Promise<void>;
  /** Resolves when names are answered by what was written. */
  served(): Promise<void>;
}

export interface KnownSite {
  readonly siteId: SiteId;
  readonly name: string;
  readonly isMember: boolean;
}
