/**
 * What is made of reports about this site's own services.
 *
 * Checks and scripts report as often as they like; how reports become a verdict is decided in
 * core/zones/verdict.ts. The verdict is written only when it changes, before the report that
 * changed it is acknowledged. Rows of reports are kept in memory: after a start they begin anew,
 * the verdict and the weight of its falls are read from what was written.
 */
import {
  VERDICT_PREFIX,
  verdictKey,
  verdictRecord,
  type ServiceState,
  type VerdictRecord,
} from "../../protocol/dns/steering-record.ts";
import type { Clock } from "../core/clock.ts";
import {
  BAD_TO_FALL,
  firstVerdict,
  GOOD_TO_RISE,
  judge,
  verdictTold,
  type Verdict,
} from "../core/zones/verdict.ts";
import type { Logger } from "../observe/log.ts";
import { InventoryError } from "./error.ts";
import type { ServiceRecords } from "./service-records.ts";

export interface ReportResult {
  readonly service: string;
  /** The verdict after the report. */
  readonly state: ServiceState;
  /** Whether this report has changed it. */
  readonly changed: boolean;
  /** Reports in a row that say otherwise, and how many it takes. */
  readonly against: number;
  readonly needed: number;
  /** Kept down for having fallen too often. */
  readonly damped: boolean;
}

type Reach = Pick<ServiceRecords, "siteId" | "view" | "write" | "served">;

export class Verdicts {
  readonly #records: Reach;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #verdicts = new Map<string, Verdict>();
  #running: Promise<unknown> = Promise.resolve();

  constructor(records: Reach, clock: Clock, log: Logger) {
    this.#records = records;
    this.#clock = clock;
    this.#log = log;
  }

  /** @throws InventoryError E-SERVICE-UNKNOWN for a service that this site does not run. */
  report(service: string, report: ServiceState, text?: string): Promise<ReportResult> {
    return this.#inTurn(async () => {
      if (!this.#runs(service)) {
        const message = `This site runs no service "${service}"; a site reports its own ones only.`;
        const hint = "Those that are known:  pleach service list";
        throw new InventoryError("E-SERVICE-UNKNOWN", message, { hint });
      }
      const nowMs = this.#clock.monotonicMs();
      const before = this.#verdicts.get(service) ?? this.#told(service, nowMs);
      const verdict = judge(before, report, nowMs);
      const changed = verdict.state !== before.state;
      if (changed) await this.#write(service, verdict, text);
      this.#verdicts.set(service, verdict);
      const needed = verdict.reported === "up" ? BAD_TO_FALL : GOOD_TO_RISE;
      const { state, against, isDamped } = verdict;
      return { service, state, changed, against, needed, damped: isDamped };
    });
  }

  /** Takes back verdicts on services that this site does not run any more. */
  tidy(): Promise<void> {
    return this.#inTurn(async () => {
      for (const { key, author } of this.#records.view().entries("note", VERDICT_PREFIX)) {
        const service = key.slice(VERDICT_PREFIX.length);
        if (author !== this.#records.siteId || this.#runs(service)) continue;
        await this.#records.write({ class: "note", key, value: undefined });
        this.#verdicts.delete(service);
      }
    }).catch((error: Error) => {
      this.#log.warn("verdicts on services that are gone stay", { error: error.message });
    });
  }

  /** Resolves when what was begun is done. */
  async stop(): Promise<void> {
    await this.#running;
  }

  #runs(service: string): boolean {
    return (
      this.#records.view().get("site", `service/${service}`, this.#records.siteId) !== undefined
    );
  }

  #told(service: string, nowMs: number): Verdict {
    const { siteId } = this.#records;
    const entry = this.#records.view().get("note", verdictKey(service), siteId);
    const told = verdictRecord.safeParse(entry?.value);
    if (!told.success) return firstVerdict(nowMs);
    return verdictTold(told.data, this.#clock.wallMs() - told.data.sinceMs, nowMs);
  }

  async #write(service: string, verdict: Verdict, text: string | undefined): Promise<void> {
    const value = {
      state: verdict.state,
      sinceMs: this.#clock.wallMs(),
      weight: Math.round(verdict.weight),
      ...(text === undefined ? {} : { text }),
    } satisfies VerdictRecord;
    await this.#records.write({ class: "note", key: verdictKey(service), value });
    await this.#records.served();
  }

  /** One report after the other: each goes on from what the one before has left. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#running.then(act);
    this.#running = result.then(
      () => {},
      () => {},
    );
    return result;
  }
}
