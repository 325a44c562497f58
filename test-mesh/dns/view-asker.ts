/**
 * Questions to real sites as clients of each view ask them, and a watch that never stops asking.
 *
 * A view is told by the address that a question comes from; {@link VIEWS_TOML} says so to a site.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeMessage } from "../../protocol/dns/decode-message.ts";
import { formatRcode } from "../../protocol/dns/dns-code.ts";
import { formatDnsName, parseDnsName } from "../../protocol/dns/dns-name.ts";
import { formatType, parseType, TYPE } from "../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../protocol/dns/encode-message.ts";
import { formatRdata } from "../../protocol/dns/rdata.ts";
import { ZONE_VIEWS, type ZoneView } from "../../protocol/dns/zone-view.ts";
import type { TestSite } from "../test-site.ts";

/** No mesh of a test lies in these. */
const FROM: Readonly<Record<ZoneView, string>> = {
  public: "127.255.1.1",
  mesh: "127.255.2.1",
  lan: "127.255.3.1",
};
export const VIEWS_TOML = `[dns.views]\nmesh = ["${FROM.mesh}"]\nlan = ["${FROM.lan}"]`;

const TIMEOUT_MS = 2000;
/** A busy machine drops packets; silence is no answer that a client would keep. */
const ATTEMPTS = 30;
const WATCH_PAUSE_MS = 15;

export interface Told {
  /** `NOERROR`, `NXDOMAIN`, … */
  readonly rcode: string;
  /** `OWNER TYPE DATA` of the answer section, in its order. */
  readonly answers: readonly string[];
  /** Of the SOA record, wherever it stands. */
  readonly serial: number | undefined;
}

export class ViewAsker {
  readonly #sockets: Readonly<Record<ZoneView, Socket>>;
  readonly #waiting = new Map<number, (answer: Uint8Array) => void>();
  #next = 0;

  private constructor(sockets: Readonly<Record<ZoneView, Socket>>) {
    this.#sockets = sockets;
    for (const socket of Object.values(sockets)) {
      socket.on("message", (answer) => {
        if (answer.length >= 12) this.#waiting.get(answer.readUInt16BE(0))?.(answer);
      });
    }
  }

  static async open(): Promise<ViewAsker> {
    const open = async (view: ZoneView): Promise<Socket> => {
      const socket = createSocket("udp4");
      socket.bind({ address: FROM[view], port: 0 });
      await once(socket, "listening");
      return socket;
    };
    return new ViewAsker({
      public: await open("public"),
      mesh: await open("mesh"),
      lan: await open("lan"),
    });
  }

  /** @throws Error when no answer comes. */
  async ask(site: TestSite, view: ZoneView, name: string, type: string): Promise<Told> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const answer = await this.#once(site, view, name, type);
      if (answer !== undefined) return told(answer);
    }
    throw new Error(`${site.name} says nothing of ${name} ${type} in the view ${view}`);
  }

  /** The data of the answer, sorted; `NODATA`, or another rcode, when there are none. */
  async data(site: TestSite, view: ZoneView, name: string, type = "A"): Promise<string> {
    const { rcode, answers } = await this.ask(site, view, name, type);
    if (rcode !== "NOERROR") return rcode;
    if (answers.length === 0) return "NODATA";
    const data = answers.map((each) => each.split(" ").slice(1).join(" "));
    return data.toSorted().join(", ");
  }

  close(): void {
    for (const socket of Object.values(this.#sockets)) socket.close();
  }

  #once(
    site: TestSite,
    view: ZoneView,
    name: string,
    type: string,
  ): Promise<Uint8Array | undefined> {
    const id = this.#next++ % 65_536;
    const none = { answers: [], authorities: [], additionals: [] };
    const packet = encodeMessage({
      ...{ id, response: false, opcode: 0, authoritative: false, truncated: false },
      ...{ recursionDesired: false, recursionAvailable: false, reserved: false },
      ...{ authenticData: false, checkingDisabled: false, rcode: 0 },
      questions: [{ name: parseDnsName(name), type: parseType(type), class: 1 }],
      ...none,
    });
    if (packet === undefined) throw new RangeError(name);
    return new Promise((resolve) => {
      const end = (answer: Uint8Array | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(() => end(undefined), TIMEOUT_MS);
      this.#waiting.set(id, end);
      this.#sockets[view].send(packet, site.dnsPort, site.address);
    });
  }
}

function told(bytes: Uint8Array): Told {
  const message = decodeMessage(bytes);
  if (!("answers" in message)) throw new Error(`an unreadable answer: ${JSON.stringify(message)}`);
  const { rcode, answers, authorities } = message;
  const soa = [...answers, ...authorities].find(({ type }) => type === TYPE.SOA);
  return {
    rcode: formatRcode(rcode),
    answers: answers.map(({ owner, type, rdata }) =>
      [formatDnsName(owner), formatType(type), formatRdata(type, rdata)].join(" "),
    ),
    serial: soa && Buffer.from(soa.rdata).readUInt32BE(soa.rdata.length - 20),
  };
}

/** Asks the same questions of all sites in all views, again and again. */
export class Watch {
  readonly #asker: ViewAsker;
  readonly #sites: Set<TestSite>;
  readonly #questions: readonly (readonly [name: string, type: string])[];
  readonly #running: Promise<void>;
  #stopped = false;
  /** Answers that were no NOERROR, as sentences. */
  readonly failures: string[] = [];
  /** Serials that were told. */
  readonly serials = new Set<number>();
  asked = 0;

  /** @param questions - All of them have to be answered with NOERROR at any moment. */
  constructor(
    asker: ViewAsker,
    sites: readonly TestSite[],
    questions: readonly (readonly [name: string, type: string])[],
  ) {
    this.#asker = asker;
    this.#sites = new Set(sites);
    this.#questions = questions;
    this.#running = this.#run();
  }

  /** From now on this site may say what it likes. */
  leave(site: TestSite): void {
    this.#sites.delete(site);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      for (const [name, type] of this.#questions) {
        for (const view of ZONE_VIEWS) {
          await Promise.all([...this.#sites].map((site) => this.#look(site, view, name, type)));
          await sleep(WATCH_PAUSE_MS);
        }
        if (this.#stopped) return;
      }
    }
  }

  async #look(site: TestSite, view: ZoneView, name: string, type: string): Promise<void> {
    try {
      const { rcode, serial } = await this.#asker.ask(site, view, name, type);
      this.asked++;
      if (serial !== undefined) this.serials.add(serial);
      if (rcode === "NOERROR" || !this.#sites.has(site)) return;
      this.failures.push(`${site.name} ${view} ${name} ${type}: ${rcode}`);
    } catch (error) {
      if (this.#sites.has(site)) this.failures.push((error as Error).message);
    }
  }
}
