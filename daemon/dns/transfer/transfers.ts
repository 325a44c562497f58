/**
 * Zones for secondaries: who may fetch which, how many at once, and in which form.
 *
 * IXFR is answered with the whole zone (RFC 1995 section 4 allows it): which changes lie between two
 * serials is not known where several nodes write.
 *
 * Source: RFC 5936, RFC 1995.
 */
import type { Zone } from "../../core/zones/zone.ts";
import type { ZoneKey } from "../../core/zones/zone-keys.ts";
import type { Logger } from "../../observe/log.ts";
import { CLASS, OPCODE, RCODE } from "../../../protocol/dns/dns-code.ts";
import { decodeMessage, type MessageOutline } from "../../../protocol/dns/decode-message.ts";
import { isWithin, sameName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { zoneText } from "../../../protocol/dns/zone-record.ts";
import { asksEdns, bareAnswer } from "../bare-answer.ts";
import { placeOfKey } from "../../../protocol/dns/zone-key.ts";
import { PUBLIC_PLACE, type ZoneView } from "../../../protocol/dns/zone-view.ts";
import type { Asker } from "../serve.ts";
import type { Secondary } from "./secondary.ts";
import { catalogAnswer } from "./catalog.ts";
import { soaMessage, zoneStream } from "./zone-stream.ts";

export interface TransferOptions {
  readonly zones: () => readonly Zone[];
  /** The list of zones for secondaries, when this node gives one. */
  readonly catalog: Catalog | undefined;
  readonly secondaries: readonly Secondary[];
  readonly log: Logger;
}

export interface Catalog {
  readonly apex: DnsName;
  /** The list of those zones that somebody may fetch. */
  readonly zone: (mayFetch: (zone: Zone) => boolean) => Zone;
}

/** Each holds a version of a zone and a connection; secondaries come again. */
const MAX_TRANSFERS = 16;
const MAX_TRANSFERS_PER_ADDRESS = 4;

/** A question for a transfer, or for what only secondaries may see. */
export interface Asked {
  /** Undefined: it may not be given, or is not there, which is told to nobody. */
  readonly zone: Zone | undefined;
  /** Which of its views is given: that of the key, or of the secondary. */
  readonly view: ZoneView;
  readonly type: number;
  readonly name: DnsName;
  /** What an IXFR client has. */
  readonly serial: number | undefined;
}

export class Transfers {
  readonly #options: TransferOptions;
  readonly #running = new Map<string, number>();

  constructor(options: TransferOptions) {
    this.#options = options;
  }

  /**
   * What a packet asks for; undefined for questions that are none of these.
   *
   * @param rights - Of the key that has signed it; undefined when none has.
   */
  asked(
    packet: Uint8Array,
    asker: Asker,
    rights: readonly ZoneKey[] | undefined,
  ): Asked | undefined {
    const message = decodeMessage(packet);
    if ("fault" in message || message.opcode !== OPCODE.QUERY) return undefined;
    const [question] = message.questions;
    if (question === undefined || question.class !== CLASS.IN) return undefined;
    const { name, type } = question;
    const { catalog } = this.#options;
    const isCatalog = catalog !== undefined && isWithin(name, catalog.apex);
    // RFC 5936 section 4.2: AXFR over UDP is not defined; the responder says FORMERR.
    if (type === TYPE.AXFR && asker.carrier === "udp") return undefined;
    if (type !== TYPE.AXFR && type !== TYPE.IXFR && !isCatalog) return undefined;
    const given = (zone: Zone): ZoneView | undefined => this.#givenOf(zone, asker, rights);
    const mayFetch = (zone: Zone): boolean => given(zone) !== undefined;
    const zones = this.#options.zones();
    const zone = isCatalog
      ? this.#mayFetchSome(asker, rights)
        ? catalog.zone(mayFetch)
        : undefined
      : zones.find((each) => sameName(each.apex, name) && mayFetch(each));
    const view = (zone && !isCatalog && given(zone)) || PUBLIC_PLACE.view;
    const soa = message.authorities.find((record) => record.type === TYPE.SOA);
    const serial =
      soa === undefined || soa.rdata.length < 22
        ? undefined
        : Buffer.from(soa.rdata).readUInt32BE(soa.rdata.length - 20);
    return { zone, view, type, name, serial };
  }

  /** The view of a zone that somebody may fetch; undefined when it may not, or has no such zone. */
  #givenOf(
    { apex, soa }: Zone,
    { address }: Asker,
    rights: readonly ZoneKey[] | undefined,
  ): ZoneView | undefined {
    const right = rights?.find(({ transfer, zone }) => transfer && sameName(zone, apex));
    const secondary = this.#secondariesAt(address).find(
      ({ zones }) => zones === undefined || zones.includes(zoneText(apex)),
    );
    const view = rights === undefined ? secondary?.view : right && placeOfKey(right).view;
    return view !== undefined && soa[view] !== undefined ? view : undefined;
  }

  #mayFetchSome({ address }: Asker, rights: readonly ZoneKey[] | undefined): boolean {
    if (rights !== undefined) return rights.some(({ transfer }) => transfer);
    return this.#secondariesAt(address).length > 0;
  }

  /** Who is known by an address alone. */
  #secondariesAt(address: string): readonly Secondary[] {
    return this.#options.secondaries.filter(
      (each) => each.key === undefined && each.address === address,
    );
  }

  /**
   * The messages that answer, unsigned. Ended early when the asker goes away.
   *
   * @param reserveBytes - Room to leave in each for a signature.
   */
  *serve(
    packet: Uint8Array,
    outline: MessageOutline,
    { address, carrier }: Asker,
    { zone, view, type, name, serial }: Asked,
    reserveBytes: number,
  ): Generator<Uint8Array> {
    const { log } = this.#options;
    const soa = zone?.soa[view];
    if (zone === undefined || soa === undefined) {
      log.info("a transfer was refused", { address });
      return yield bareAnswer(packet, outline, RCODE.REFUSED);
    }
    if (type !== TYPE.AXFR && type !== TYPE.IXFR) {
      return yield catalogAnswer(zone.apex, soa, packet, outline);
    }
    const options = {
      question: { name, type },
      id: outline.id,
      reserveBytes,
      edns: asksEdns(outline),
    };
    // RFC 1995 section 2: "If the UDP reply does not fit, the query is responded to with a single SOA
    // record of the server's current version", and the client asks again over TCP. Section 4: so is
    // one whose version is the same or newer.
    const isCurrent = type === TYPE.IXFR && serial !== undefined && !isOlder(serial, zone.serial);
    if (isCurrent || carrier === "udp") return yield soaMessage(soa, options);
    if (!this.#enter(address)) {
      log.warn("a transfer was put off: too many at once", { address });
      return yield bareAnswer(packet, outline, RCODE.SERVFAIL);
    }
    // The zone goes on changing while it is sent; what is sent does not.
    const facts = { zone: zoneText(zone.apex), serial: zone.serial, address };
    let sentBytes = 0;
    try {
      for (const message of zoneStream(zone, view, options)) {
        sentBytes += message.length;
        yield message;
      }
      log.info("a zone was transferred", { ...facts, bytes: sentBytes });
    } finally {
      this.#leave(address);
    }
  }

  #enter(address: string): boolean {
    const all = [...this.#running.values()].reduce((sum, count) => sum + count, 0);
    const own = this.#running.get(address) ?? 0;
    if (all >= MAX_TRANSFERS || own >= MAX_TRANSFERS_PER_ADDRESS) return false;
    this.#running.set(address, own + 1);
    return true;
  }

  #leave(address: string): void {
    const left = (this.#running.get(address) ?? 1) - 1;
    if (left > 0) this.#running.set(address, left);
    else this.#running.delete(address);
  }
}

/** RFC 1982 section 3.2; what cannot be compared is fetched. */
function isOlder(serial: number, than: number): boolean {
  const distance = (than - serial + 2 ** 32) % 2 ** 32;
  return distance > 0 && distance <= 2 ** 31;
}
