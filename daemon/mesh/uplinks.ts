/**
 * The lines of this site: which connection goes over which, and what bulk may do there now.
 *
 * A rule names a network interface; connections from its addresses are under it. The rule without
 * an interface is for all others. Where no rule fits, bulk is bounded by the adaptive cap alone.
 */
import { networkInterfaces } from "node:os";
import type { Clock } from "../core/clock.ts";
import type { BulkFlow } from "../core/transport.ts";
import { opensInMs, rateOf, type UplinkRule, type Urgency } from "../core/backup/uplink-rule.ts";
import { Pacer } from "./pacer.ts";

/** Hours end to the minute; who waits for the line hears of it in time. */
const LOOK_MS = 5000;

export interface UplinksOptions {
  readonly clock: Clock;
  /** As configured now; a reload may change them. */
  readonly rules: () => readonly UplinkRule[];
  /** The minute of the day that the site's clock shows. Default: local time. */
  readonly minuteOfDay?: (wallMs: number) => number;
  /** Address to interface. Default: those of this machine. */
  readonly interfaceOf?: (address: string) => string | undefined;
}

/** One line, both ways. */
export interface Line {
  readonly send: Pacer;
  readonly receive: Pacer;
}

export class Uplinks {
  readonly #options: Required<UplinksOptions>;
  readonly #lines = new Map<string, Line>();
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(options: UplinksOptions) {
    this.#options = { minuteOfDay: localMinuteOfDay, interfaceOf: ownInterfaceOf, ...options };
  }

  /** The line of connections from an own address; undefined where nothing is configured. */
  lineOf(localAddress: string | undefined): Line | undefined {
    const rule = this.#ruleOf(localAddress);
    if (rule === undefined) return undefined;
    const known = this.#lines.get(rule.name);
    if (known !== undefined) return known;
    const line = {
      send: this.#pacer(rule.name, "upload"),
      receive: this.#pacer(rule.name, "download"),
    };
    this.#lines.set(rule.name, line);
    this.#arm();
    return line;
  }

  /** Milliseconds until bytes of this urgency may go from an own address: 0 now, Infinity never. */
  opensInMs(localAddress: string | undefined, urgency: Urgency): number {
    const rule = this.#ruleOf(localAddress);
    return rule === undefined ? 0 : this.#opensInMs(rule, urgency);
  }

  /** All rules with what they mean now: how long copies wait there, and the rates. */
  report() {
    const { clock, rules, minuteOfDay } = this.#options;
    const minute = minuteOfDay(clock.wallMs());
    return rules().map((rule) => ({
      rule,
      opensInMs: this.#opensInMs(rule, "spread"),
      upload: rateOf(rule, "upload", minute),
      download: rateOf(rule, "download", minute),
    }));
  }

  /** The configuration is another one. */
  changed(): void {
    for (const { send, receive } of this.#lines.values()) {
      send.look();
      receive.look();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #arm(): void {
    if (this.#stopped || this.#cancel !== undefined) return;
    this.#cancel = this.#options.clock.after(LOOK_MS, () => {
      this.#cancel = undefined;
      this.changed();
      this.#arm();
    });
  }

  #pacer(name: string, direction: "upload" | "download"): Pacer {
    const { clock, rules, minuteOfDay } = this.#options;
    const rule = (): UplinkRule | undefined => rules().find((one) => one.name === name);
    return new Pacer({
      clock,
      rate: () => {
        const now = rule();
        return now === undefined ? undefined : rateOf(now, direction, minuteOfDay(clock.wallMs()));
      },
      isOpen: ({ urgency }: BulkFlow) => {
        const now = rule();
        return now === undefined || this.#opensInMs(now, urgency) === 0;
      },
    });
  }

  #opensInMs(rule: UplinkRule, urgency: Urgency): number {
    const { clock, minuteOfDay } = this.#options;
    return opensInMs(rule, urgency, clock.wallMs(), minuteOfDay);
  }

  #ruleOf(localAddress: string | undefined): UplinkRule | undefined {
    const rules = this.#options.rules();
    if (rules.length === 0) return undefined;
    const name = localAddress === undefined ? undefined : this.#options.interfaceOf(localAddress);
    const named = rules.find((rule) => rule.interface !== undefined && rule.interface === name);
    return named ?? rules.find((rule) => rule.interface === undefined);
  }
}

function localMinuteOfDay(wallMs: number): number {
  const time = new Date(wallMs);
  return time.getHours() * 60 + time.getMinutes();
}

function ownInterfaceOf(address: string): string | undefined {
  const plain = address.replace(/^::ffff:(?=\d)/, "").replace(/%.*$/, "");
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((one) => one.address === plain) === true) return name;
  }
  return undefined;
}
