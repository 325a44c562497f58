/**
 * Which other nodes an update waits for, by what they did at earlier ones.
 *
 * One that gave no serial of a zone for a whole wait is not waited for again until it gives one: it
 * may stand behind a router that lets no question through, or not show the zone to us. It is asked
 * all the same, so the update after its return waits for it.
 */
import type { Clock } from "../../core/clock.ts";
import { isLaterSerial } from "../../core/zones/zone-serial.ts";
import type { Logger } from "../../observe/log.ts";
import { nameKey, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { zoneText } from "../../../protocol/dns/zone-record.ts";
import type { Server } from "../ask.ts";
import { whenServed, type AskSerial } from "./when-served.ts";

/** For those that have been silent; nobody waits for it. */
const ANSWER_MS = 1000;
/** Servers and zones of which it is known that they give nothing; more are waited for each time. */
const MAX_SILENT = 1024;

export class OtherServers {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ask: AskSerial;
  readonly #silent = new Set<string>();

  constructor(clock: Clock, log: Logger, ask: AskSerial) {
    this.#clock = clock;
    this.#log = log;
    this.#ask = ask;
  }

  /**
   * Waits until these serve a version of a zone.
   *
   * @param servers - One for each other node that is there now.
   * @returns How many of those that it waited for do not when the time is over.
   */
  async whenServed(
    servers: readonly Server[],
    zone: DnsName,
    serial: number,
    timeoutMs: number,
  ): Promise<number> {
    const awaited = servers.filter((server) => !this.#silent.has(idOf(server, zone)));
    for (const server of servers) {
      if (!awaited.includes(server)) void this.#askSilent(server, zone);
    }
    const given = await whenServed(awaited, zone, serial, timeoutMs, this.#clock, this.#ask);
    let missing = 0;
    for (const [index, server] of awaited.entries()) {
      const found = given[index];
      if (found === undefined && this.#silent.size < MAX_SILENT) this.#note(server, zone);
      if (found === undefined || isLaterSerial(serial, found)) missing += 1;
    }
    return missing;
  }

  #note(server: Server, zone: DnsName): void {
    this.#silent.add(idOf(server, zone));
    this.#log.warn("a node does not tell us its serial: updates do not wait for it any more", {
      ...{ zone: zoneText(zone), address: server.address, port: server.port },
    });
  }

  async #askSilent(server: Server, zone: DnsName): Promise<void> {
    const found = await this.#ask(server, zone, ANSWER_MS);
    if (found === undefined || !this.#silent.delete(idOf(server, zone))) return;
    const facts = { zone: zoneText(zone), address: server.address, port: server.port };
    this.#log.info("a node tells us its serial again: updates wait for it", facts);
  }
}

function idOf({ address, port }: Server, zone: DnsName): string {
  return `${address} ${port} ${nameKey(zone)}`;
}
