/**
 * Tells secondaries that a zone has changed, until they have heard it.
 *
 * Each serial is told once it is served; a newer one takes the place of one that was not heard yet.
 * A secondary that does not answer is asked again after longer and longer times, and then left
 * alone until the next change: it looks by itself, too (SOA refresh).
 *
 * Source: RFC 1996.
 */
import type { Clock } from "../../core/clock.ts";
import type { RRset, Zone } from "../../core/zones/zone.ts";
import type { Logger } from "../../observe/log.ts";
import { CLASS, OPCODE } from "../../../protocol/dns/dns-code.ts";
import { parseDnsName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../../protocol/dns/encode-message.ts";
import { findTsig } from "../../../protocol/dns/tsig.ts";
import { TsigSigner, verifyTsigAnswer, type TsigKey } from "../../../protocol/dns/tsig-mac.ts";
import { zoneText } from "../../../protocol/dns/zone-record.ts";
import { PUBLIC_PLACE, type ZoneView } from "../../../protocol/dns/zone-view.ts";
import { askUdp } from "../ask.ts";
import type { Secondary } from "./secondary.ts";

export interface NotifierOptions {
  readonly secondaries: readonly Secondary[];
  /** What is served now, with the catalog where there is one. */
  readonly zones: () => readonly Zone[];
  /** The key of a name that may fetch the zone; undefined while it is not there. */
  readonly keyOf: (name: DnsName) => TsigKey | undefined;
  /** What the key of a name sees of a zone; undefined while it has no right there. */
  readonly keyView: (name: DnsName, apex: DnsName) => ZoneView | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * RFC 1996 section 3.6 suggests 60 s and five tries; a first one that was lost should not cost a
 * minute. In milliseconds after the try before.
 */
const RETRY_MS: readonly number[] = [2000, 4000, 8000, 16_000, 32_000, 64_000];
/** For an answer; a satellite takes 1 s. */
const ANSWER_MS = 5000;

/** What is being told to one secondary about one zone. */
interface Telling {
  serial: number;
  /** Cuts the wait before the next try short. */
  cancel: (() => void) | undefined;
}

export class Notifier {
  readonly #options: NotifierOptions;
  readonly #tellings = new Map<string, Telling>();
  #isStopped = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  /** Call whenever another version is served, and once at the start. */
  changed(): void {
    if (this.#isStopped) return;
    for (const zone of this.#options.zones()) {
      for (const secondary of this.#options.secondaries) {
        const { zones } = secondary;
        if (zones !== undefined && !zones.includes(zoneText(zone.apex))) continue;
        if (this.#soaFor(secondary, zone) !== undefined) this.#tell(zone, secondary);
      }
    }
  }

  /** As the secondary sees it; undefined when the zone is not in its view. */
  #soaFor({ key, view }: Secondary, { apex, soa }: Zone): RRset | undefined {
    const seen = key === undefined ? view : this.#options.keyView(parseDnsName(key), apex);
    return soa[seen ?? PUBLIC_PLACE.view];
  }

  stop(): void {
    this.#isStopped = true;
    for (const { cancel } of this.#tellings.values()) cancel?.();
    this.#tellings.clear();
  }

  #tell(zone: Zone, secondary: Secondary): void {
    const place = `${secondary.address} ${secondary.port} ${zoneText(zone.apex)}`;
    const before = this.#tellings.get(place);
    if (before?.serial === zone.serial) return;
    before?.cancel?.();
    const telling: Telling = { serial: zone.serial, cancel: undefined };
    this.#tellings.set(place, telling);
    void this.#try(zone, secondary, () => this.#tellings.get(place) === telling, telling, 0);
  }

  async #try(
    zone: Zone,
    secondary: Secondary,
    isCurrent: () => boolean,
    telling: Telling,
    tries: number,
  ): Promise<void> {
    const { clock, log } = this.#options;
    const isHeard = await this.#notify(zone, secondary);
    if (this.#isStopped || !isCurrent()) return;
    const facts = { zone: zoneText(zone.apex), serial: zone.serial, address: secondary.address };
    if (isHeard) return log.debug("a secondary was notified", facts);
    const waitMs = RETRY_MS[tries];
    if (waitMs === undefined) return log.warn("a secondary does not answer NOTIFY", facts);
    telling.cancel = clock.after(waitMs, () => {
      void this.#try(zone, secondary, isCurrent, telling, tries + 1);
    });
  }

  /** Whether the secondary has answered, whatever it said: it has heard it. */
  async #notify(zone: Zone, secondary: Secondary): Promise<boolean> {
    const { address, port, key: name } = secondary;
    const { clock, keyOf } = this.#options;
    const key = name === undefined ? undefined : keyOf(parseDnsName(name));
    // Unsigned it would not be believed, or by the wrong one.
    if (name !== undefined && key === undefined) return false;
    const soa = this.#soaFor(secondary, zone);
    const message = encodeMessage({
      ...{ id: Buffer.from(clock.random(2)).readUInt16BE(), opcode: OPCODE.NOTIFY, rcode: 0 },
      ...{ response: false, authoritative: true, truncated: false, recursionDesired: false },
      ...{ recursionAvailable: false, reserved: false, authenticData: false },
      checkingDisabled: false,
      questions: [{ name: zone.apex, type: TYPE.SOA, class: CLASS.IN }],
      // Section 3.7: "the SOA record may be given as a hint of the new serial".
      answers: (soa?.rdata ?? []).map((rdata) => ({
        ...{ owner: zone.apex, type: TYPE.SOA, class: CLASS.IN, ttl: soa?.ttl ?? 0, rdata },
      })),
      ...{ authorities: [], additionals: [] },
    });
    if (message === undefined) return false;
    const now = (): number => Math.floor(clock.wallMs() / 1000);
    if (key === undefined) {
      return (await askUdp({ address, port }, message, ANSWER_MS, clock)) !== undefined;
    }
    const signer = new TsigSigner(key, undefined, now);
    const signed = signer.sign(message);
    const answer = await askUdp({ address, port }, signed, ANSWER_MS, clock);
    const tsig = answer === undefined ? "none" : findTsig(answer);
    if (answer === undefined || typeof tsig === "string") return false;
    return verifyTsigAnswer(answer, tsig, key, signer.mac, now()) === "ok";
  }
}
