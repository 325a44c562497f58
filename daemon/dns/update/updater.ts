/**
 * Applies updates of keys to zones, one at a time, each as a whole or not at all.
 *
 * An update is answered when the other nodes that answer DNS serve it, because those who ask for
 * certificates ask all name servers at once; but not later than {@link WAIT_MS}, for a node that is
 * away must not stop the others.
 *
 * Source: RFC 2136, RFC 3007.
 */
import type { Clock } from "../../core/clock.ts";
import type { View } from "../../core/logs/view.ts";
import type { RRset } from "../../core/zones/zone.ts";
import { mayUpdate, type ZoneKey } from "../../core/zones/zone-keys.ts";
import type { Logger } from "../../observe/log.ts";
import { RCODE } from "../../../protocol/dns/dns-code.ts";
import type { DecodedMessage } from "../../../protocol/dns/decode-message.ts";
import { sameName, type DnsName } from "../../../protocol/dns/dns-name.ts";
import { zoneText, type ZoneRecord } from "../../../protocol/dns/zone-record.ts";
import { placeOfKey } from "../../../protocol/dns/zone-key.ts";
import { placeText, PUBLIC_PLACE, type ZoneView } from "../../../protocol/dns/zone-view.ts";
import { PleachError } from "../../../protocol/error.ts";
import { sha256, toHex } from "../../../protocol/ids.ts";
import { recordsOf, standingAt } from "../stored-records.ts";
import { findNode, pathOf, type ServedZone, type ZoneTree } from "../zone-tree.ts";
import { checkPrerequisites } from "./prerequisites.ts";
import { readPrerequisites, readSteps, zoneOfUpdate, type UpdateStep } from "./update-message.ts";
import { ZoneDraft } from "./zone-draft.ts";

export interface ZoneChange {
  readonly zone: DnsName;
  readonly puts: readonly ZoneRecord[];
  readonly removed: readonly string[];
}

export interface UpdaterOptions {
  readonly view: () => View;
  /** The zones as served, changes of others that are known included. */
  readonly tree: () => ZoneTree;
  /** Writes and serves a change; gives the serial from then on. */
  readonly apply: (change: ZoneChange) => Promise<{ readonly serial: number }>;
  /** Resolves to how many other nodes do not serve the serial yet: to 0 as soon as all do. */
  readonly whenServed: (zone: DnsName, serial: number, timeoutMs: number) => Promise<number>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a mesh across a continent needs, and less than certbot, lego and nsupdate wait. */
const WAIT_MS = 5000;
/**
 * The same packet again is the same request: UDP repeats it, and nobody may replay it while its
 * signature holds (RFC 8945 section 10: 300 s to both sides).
 */
const REMEMBER_MS = 600_000;
const MAX_REMEMBERED = 4096;

export class Updater {
  readonly #options: UpdaterOptions;
  readonly #remembered = new Map<
    string,
    { readonly code: Promise<number>; readonly atMs: number }
  >();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: UpdaterOptions) {
    this.#options = options;
  }

  /**
   * @param packet - As it came, with its signature, which was found sound.
   * @param rights - Of the key that has signed it.
   * @returns The code of the answer.
   */
  update(message: DecodedMessage, packet: Uint8Array, rights: readonly ZoneKey[]): Promise<number> {
    const id = toHex(sha256(packet));
    const nowMs = this.#options.clock.monotonicMs();
    for (const [old, { atMs }] of this.#remembered) {
      if (nowMs - atMs < REMEMBER_MS && this.#remembered.size < MAX_REMEMBERED) break;
      this.#remembered.delete(old);
    }
    const known = this.#remembered.get(id);
    if (known !== undefined) return known.code;
    const code = this.#serve(message, rights);
    this.#remembered.set(id, { code, atMs: nowMs });
    // What could not be done now may be asked for again as it is.
    void code.then((done) => (done === RCODE.SERVFAIL ? this.#remembered.delete(id) : false));
    return code;
  }

  async #serve(message: DecodedMessage, rights: readonly ZoneKey[]): Promise<number> {
    const { log, whenServed } = this.#options;
    try {
      const applied = this.#last.then(() => this.#apply(message, rights));
      this.#last = applied.catch(() => undefined);
      const done = await applied;
      if (typeof done === "number") return done;
      // What the public does not see is asked of no other server.
      if (!done.isPublic) return RCODE.NOERROR;
      const missing = await whenServed(done.zone, done.serial, WAIT_MS);
      if (missing > 0) {
        const facts = { zone: zoneText(done.zone), serial: done.serial, missing };
        log.warn("an update was answered before all nodes serve it", facts);
      }
      return RCODE.NOERROR;
    } catch (error) {
      log.error("an update could not be made", { error: String(error) });
      // No right to the zone, a value too long: nothing of the packet's form. A full disk passes.
      const isLasting = error instanceof PleachError && error.code !== "E-NO-SPACE";
      return isLasting ? RCODE.REFUSED : RCODE.SERVFAIL;
    }
  }

  /** A code when nothing was changed. */
  async #apply(
    message: DecodedMessage,
    rights: readonly ZoneKey[],
  ): Promise<
    number | { readonly zone: DnsName; readonly serial: number; readonly isPublic: boolean }
  > {
    const zone = zoneOfUpdate(message);
    if (typeof zone === "number") return zone;
    const right = rights.find((each) => sameName(each.zone, zone));
    const shown = right === undefined ? PUBLIC_PLACE.view : placeOfKey(right).view;
    const served = this.#options.tree().zoneOf(pathOf(zone), shown);
    if (served === undefined || !sameName(served.apex, zone)) return RCODE.NOTAUTH;
    if (right === undefined || right.update.length === 0) return RCODE.REFUSED;
    const steps = readSteps(message, zone);
    if (typeof steps === "number") return steps;
    const view = this.#options.view();
    const place = placeOfKey(right);
    const written = (owner: DnsName) => standingAt(recordsOf(view, zone, owner), place);
    const elsewhere = (owner: DnsName) =>
      recordsOf(view, zone, owner).filter(({ record }) => placeText(record) !== placeText(place));
    const draft = new ZoneDraft({ zone, place, written, elsewhere, serial: served.serial });
    // Before the prerequisites, unlike RFC 2136 section 3.3: they would tell what is in the zone.
    if (!steps.every((step) => isAllowed(right, step, draft))) return this.#refuse(right);
    const prerequisites = readPrerequisites(message, zone);
    if (typeof prerequisites === "number") return prerequisites;
    const failed = checkPrerequisites(prerequisites, (owner) => setsAt(served, owner, shown));
    if (failed !== RCODE.NOERROR) return failed;
    for (const step of steps) draft.take(step);
    const { puts, removed } = draft.changes();
    if (puts.length === 0 && removed.length === 0) return RCODE.NOERROR;
    const tsig = zoneText(right.name);
    const { serial } = await this.#options.apply({
      zone,
      puts: puts.map((record) => ({ ...record, tsig })),
      removed,
    });
    const facts = { key: tsig, zone: zoneText(zone), written: puts.length };
    this.#options.log.info("a zone was updated", { ...facts, removed: removed.length, serial });
    return { zone, serial, isPublic: served.negativeSoa.public !== undefined };
  }

  #refuse({ name, zone }: ZoneKey): number {
    const facts = { key: zoneText(name), zone: zoneText(zone) };
    this.#options.log.warn("an update was refused: the key has no right to it", facts);
    return RCODE.REFUSED;
  }
}

/** To delete a name takes a right to every type that is there. */
function isAllowed(right: ZoneKey, step: UpdateStep, draft: ZoneDraft): boolean {
  if (step.kind !== "delete-name") return mayUpdate(right, step.owner, step.type);
  return draft.typesAt(step.owner).every((type) => mayUpdate(right, step.owner, type));
}

/** What is served at a name itself; a wildcard above it does not count. */
function setsAt(served: ServedZone, owner: DnsName, view: ZoneView): readonly RRset[] {
  return findNode(served, pathOf(owner), view)?.sets[view] ?? [];
}
