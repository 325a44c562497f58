/**
 * The zones of a simulated site, composed as the daemon composes them: built from its state with
 * every change, edited and imported into.
 */
import type { CountedLog } from "../../daemon/core/logs/counted-log.ts";
import type { Zone } from "../../daemon/core/zones/zone.ts";
import type { GuardedState } from "../../daemon/compose/open-state.ts";
import type { Clock } from "../../daemon/core/clock.ts";
import { ChangeJournal } from "../../daemon/dns/change-journal.ts";
import { ZoneBulk } from "../../daemon/dns/zone-bulk.ts";
import { ZoneEditor } from "../../daemon/dns/zone-editor.ts";
import { ZonePublisher } from "../../daemon/dns/zone-publisher.ts";
import { exportZone } from "../../daemon/dns/zone-report.ts";
import { serialsOf, type ZoneSource } from "../../daemon/dns/zone-source.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { zonesOf } from "../../daemon/ports/zones-of.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { zoneText } from "../../protocol/dns/zone-record.ts";

/** A version of a zone that was served. */
export interface Step {
  readonly zone: string;
  readonly serial: number;
  /** Whose logs were others than in the version before. */
  readonly authors: ReadonlySet<SiteId>;
}

/** The serials that a site has served, over its restarts. */
export class ServedSerials {
  /** In the order of time, in stretches; between two of them the disk has lost what it knew. */
  readonly #stretches: Step[][] = [[]];
  #logs = new Map<string, CountedLog>();
  #atStart = 0;

  get stretches(): readonly (readonly Step[])[] {
    return this.#stretches;
  }

  started(): void {
    this.#atStart = this.#stretches.at(-1)?.length ?? 0;
  }

  /** The disk has lost before the start: no node can know what it has forgotten. */
  forgive(): void {
    const since = this.#stretches.at(-1)?.splice(this.#atStart) ?? [];
    this.#stretches.push(since);
    this.#atStart = 0;
  }

  note(zones: readonly Pick<Zone, "apex" | "serial">[], heads: readonly CountedLog[]): void {
    const logs = new Map(heads.map((log) => [`${log.log} ${log.seq} ${log.head}`, log]));
    const changed = [...this.#logs, ...logs].filter(([id]) => !this.#logs.has(id) || !logs.has(id));
    this.#logs = logs;
    const authors = new Set(changed.map(([, { author }]) => author));
    for (const { apex, serial } of zones) {
      this.#stretches.at(-1)?.push({ zone: zoneText(apex), serial, authors });
    }
  }
}

export class SiteZones {
  readonly editor: ZoneEditor;
  readonly bulk: ZoneBulk;
  readonly #publisher: ZonePublisher;
  readonly #source: ZoneSource;
  readonly #clock: Clock;

  private constructor(
    { state }: GuardedState,
    journal: ChangeJournal,
    clock: Clock,
    served: ServedSerials,
  ) {
    const source = zonesOf(state);
    this.#source = source;
    this.#clock = clock;
    this.#publisher = new ZonePublisher(source, clock, silentLogger, (deltas) => {
      const changed = deltas.flatMap((delta) => (delta.kind === "changed" ? delta : []));
      served.note(changed, state.logHeads());
    });
    const ports = {
      view: () => state.view(),
      served: () => this.#publisher.zones,
      reload: () => this.#publisher.reload(),
    };
    this.editor = new ZoneEditor({ ...ports, writer: journal });
    const serials = () => serialsOf(source);
    this.bulk = new ZoneBulk({ ...ports, journal, serials, siteId: state.siteId });
  }

  static async start(guarded: GuardedState, clock: Clock, served: ServedSerials) {
    const { store, write, state } = guarded;
    const journal = await ChangeJournal.open({
      ...{ store, writer: { write }, view: () => state.view(), clock, siteId: state.siteId },
      sites: () => [],
    });
    served.started();
    return new SiteZones(guarded, journal, clock, served);
  }

  /** What it serves, as a secondary would have it: zones with their serials and records. */
  shown(): string {
    return textOf(this.#publisher.zones);
  }

  /** The same as a node has it that builds everything from the state as it is now. */
  anew(): string {
    const fresh = new ZonePublisher(this.#source, this.#clock, silentLogger, () => {});
    fresh.stop();
    return textOf(fresh.zones);
  }

  stop(): void {
    this.#publisher.stop();
  }
}

function textOf(zones: readonly Zone[]): string {
  return zones
    .map((zone) => exportZone(zone, "public"))
    .toSorted()
    .join("\n");
}
