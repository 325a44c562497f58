/**
 * Multicast DNS: people on the LAN of this site find its services as `SERVICE.local`, whatever
 * their router does.
 *
 * Needs the services of this site, the clock and the log. It looks at the interfaces from time to time,
 * because addresses come late and change. A fault here is a line in the log: the rest of DNS goes on.
 */
import { networkInterfaces } from "node:os";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../observe/log.ts";
import { chooseLinks, servicesOn, type Link } from "./links.ts";
import { LinkSockets } from "./link-sockets.ts";
import { MdnsResponder } from "./mdns-responder.ts";
import type { LocalService } from "./service-records.ts";

export interface MdnsOptions {
  /** Interfaces by name, or all that look like a LAN. */
  readonly interfaces: true | readonly string[];
  /** This site's name: a DNS label. */
  readonly site: () => string;
  /** What runs at this site for its LAN, as it is now. */
  readonly services: () => readonly LocalService[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** Between two looks at the interfaces. */
const LOOK_MS = 10_000;

interface OpenLink {
  readonly link: Link;
  readonly responder: MdnsResponder;
  readonly sockets: LinkSockets;
  cancel: () => void;
}

export class Mdns {
  readonly #options: MdnsOptions;
  readonly #log: Logger;
  readonly #open = new Map<string, OpenLink>();
  /** What cannot be had is told once. */
  readonly #told = new Set<string>();
  #running: Promise<void> = Promise.resolve();
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(options: MdnsOptions) {
    this.#options = options;
    this.#log = options.log.part("mdns");
  }

  /** Resolves when it listens on all links that there are now. */
  start(): Promise<void> {
    return this.#look();
  }

  /** Tells the links of other services. */
  changed(): void {
    const { clock, services } = this.#options;
    for (const open of this.#open.values()) {
      const offered = servicesOn(open.link, services());
      this.#send(open, open.responder.offer(offered, clock.monotonicMs()));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
    await Promise.all([...this.#open.values()].map((open) => this.#close(open)));
  }

  #look(): Promise<void> {
    this.#running = this.#running.then(async () => {
      if (this.#stopped) return;
      const { interfaces, clock } = this.#options;
      const links = chooseLinks(networkInterfaces(), interfaces);
      for (const open of [...this.#open.values()]) {
        const now = links.find(({ name }) => name === open.link.name);
        if (JSON.stringify(now) !== JSON.stringify(open.link)) await this.#close(open);
      }
      for (const link of links) if (!this.#open.has(link.name)) await this.#join(link);
      this.#tellMissing(links);
      this.#cancel = clock.after(LOOK_MS, () => void this.#look());
    });
    return this.#running;
  }

  async #join(link: Link): Promise<void> {
    const { clock, site } = this.#options;
    const responder = new MdnsResponder({
      site,
      random: () => Buffer.from(clock.random(4)).readUInt32LE() / 2 ** 32,
      onHeld: (service, label) => this.#held(link.name, service, label),
    });
    try {
      const sockets = await LinkSockets.open(link, (bytes, from) => {
        const open = this.#open.get(link.name);
        if (open?.responder !== responder) return;
        this.#send(open, responder.receive(bytes, from, clock.monotonicMs()));
      });
      this.#open.set(link.name, { link, responder, sockets, cancel: () => {} });
      this.#told.delete(link.name);
      this.changed();
    } catch (error) {
      this.#tellOnce(link.name, `mDNS cannot speak on ${link.name}`, (error as Error).message);
    }
  }

  #send(open: OpenLink, packets: Parameters<LinkSockets["send"]>[0]): void {
    open.sockets.send(packets);
    open.cancel();
    const { clock } = this.#options;
    const atMs = open.responder.wakeAtMs;
    if (atMs === Infinity) return;
    open.cancel = clock.after(Math.max(0, atMs - clock.monotonicMs()), () => {
      this.#send(open, open.responder.wake(clock.monotonicMs()));
    });
  }

  async #close(open: OpenLink): Promise<void> {
    open.cancel();
    this.#open.delete(open.link.name);
    await open.sockets.close(open.responder.farewell());
  }

  #held(link: string, service: string, label: string): void {
    if (label === service) this.#log.info(`${label}.local leads to this site on ${link}`);
    else this.#log.warn(`${service}.local is taken on ${link}: here it is ${label}.local`);
  }

  #tellMissing(links: readonly Link[]): void {
    const { interfaces } = this.#options;
    if (interfaces === true) {
      if (links.length === 0) this.#tellOnce("*", "mDNS finds no interface with a private address");
      else this.#told.delete("*");
      return;
    }
    for (const name of interfaces) {
      if (links.some((link) => link.name === name)) continue;
      this.#tellOnce(name, `mDNS waits for the interface ${name}, which has no address`);
    }
  }

  #tellOnce(topic: string, message: string, error?: string): void {
    if (this.#told.has(topic)) return;
    this.#told.add(topic);
    this.#log.warn(message, error === undefined ? {} : { error });
  }
}
