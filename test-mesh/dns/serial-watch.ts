/** Asks servers for the serial of a zone again and again, and keeps what went backwards. */
import { isLaterSerial } from "../../daemon/core/zones/zone-serial.ts";
import { serialAt } from "../../daemon/dns/update/when-served.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { parseDnsName } from "../../protocol/dns/dns-name.ts";

const POLL_MS = 200;
const ANSWER_MS = 1000;

/** A server that is watched. */
export interface WatchedPlace {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export class SerialWatch {
  readonly zone: string;
  readonly #seen = new Map<string, number>();
  /** What went backwards, as sentences; nothing should. */
  readonly backwards: string[] = [];
  #isOver = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(zone: string) {
    this.zone = zone;
  }

  start(places: readonly WatchedPlace[]): void {
    this.#running = Promise.all(places.map((place) => this.#watch(place)));
  }

  async #watch(place: WatchedPlace): Promise<void> {
    const apex = parseDnsName(this.zone);
    while (!this.#isOver) {
      const serial = await serialAt(place, apex, ANSWER_MS, systemClock);
      const before = this.#seen.get(place.name);
      if (serial !== undefined) {
        if (before !== undefined && isLaterSerial(before, serial)) {
          this.backwards.push(`${place.name}: ${before} then ${serial}`);
        }
        this.#seen.set(place.name, serial);
      }
      await new Promise<void>((resolve) => systemClock.after(POLL_MS, resolve));
    }
  }

  /** The serials seen last, by name. None went backwards, so each is the highest of its place. */
  get last(): ReadonlyMap<string, number> {
    return this.#seen;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}
