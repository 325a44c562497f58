import type { ZoneView } from "../../../protocol/dns/zone-view.ts";

/** A server of others that fetches zones here and is told of changes. */
export interface Secondary {
  /** IP address. */
  readonly address: string;
  /** Where it hears NOTIFY. */
  readonly port: number;
  /** Name of the TSIG key that it signs with; without one its address lets it fetch. */
  readonly key: string | undefined;
  /** What it fetches without a key. */
  readonly view: ZoneView;
  /** Without a final dot, lower case; undefined for all zones. */
  readonly zones: readonly string[] | undefined;
}
