/**
 * What still shows of sites whose right to a zone or policy was taken back: their records as their
 * logs stood at the named heads.
 *
 * It is made from documents of their own, so that nothing else of the site is touched: what it
 * writes under rights that it has goes on in the same logs.
 */
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import type { RecordClass } from "../../../protocol/logs/record-class.ts";
import type { Authority, EndedGrant, LogEnd } from "../../core/authority/authority.ts";
import type { Candidate } from "../../core/logs/merge.ts";
import type { Documents } from "../documents.ts";
import type { HeldLog } from "../held-log.ts";
import type { Shelf } from "../shelf.ts";
import { stoodAt } from "./stood-at.ts";

/** The keys that one ended right, or several, let a site write. */
interface Section {
  /** The start of the keys; null: of all others. */
  readonly start: string | null;
  readonly heads: ReadonlyMap<LogId, LogEnd>;
}

type Owner = `${SiteId} ${string}`;

export class EndedRights {
  readonly #shelf: Shelf;
  readonly #documents: Documents;
  #shown = new Map<Owner, readonly Candidate[]>();

  constructor(shelf: Shelf, documents: Documents) {
    this.#shelf = shelf;
    this.#documents = documents;
  }

  /** The versions of a class that show by rights that were taken back. */
  candidates(recordClass: RecordClass): readonly Candidate[] {
    return [...this.#shown].flatMap(([owner, all]) =>
      owner.endsWith(` ${recordClass}`) ? all : [],
    );
  }

  /** Makes all anew, after statements or limits have changed. */
  async refresh(authority: Authority): Promise<void> {
    this.#shown = new Map();
    const owners = new Map(
      authority.endedGrants.map((grant) => [`${grant.site} ${grant.class}` as const, grant]),
    );
    for (const grant of owners.values()) await this.#show(grant, authority);
  }

  /** Looks again at what an entry may change. */
  async noteEntry(held: HeldLog, seq: number, authority: Authority): Promise<void> {
    const grant = authority.endedGrants.find(
      (each) => each.site === held.author && each.class === held.class,
    );
    if (grant !== undefined && held.pins.some((pin) => pin >= seq)) {
      await this.#show(grant, authority);
    }
  }

  async #show(of: EndedGrant, authority: Authority): Promise<void> {
    const { site, class: recordClass } = of;
    const grants = authority.endedGrants.filter((each) => {
      return each.site === site && each.class === recordClass;
    });
    const sections = sectionsOf(grants);
    const starts = new Set(sections.map(({ start }) => start));
    const shown: Candidate[] = [];
    for (const section of sections) {
      for (const candidate of await stoodAt(this.#shelf, this.#documents, of, section.heads)) {
        const start = candidate.key.split("/", 1)[0] ?? "";
        const isOfSection = section.start === null ? !starts.has(start) : start === section.start;
        if (isOfSection && !authority.mayWrite(site, recordClass, candidate.key)) {
          shown.push(candidate);
        }
      }
    }
    this.#shown.set(`${site} ${recordClass}`, shown);
  }
}

/** Where a key is covered by several rights, each log counts up to the highest of their heads. */
function sectionsOf(grants: readonly EndedGrant[]): Section[] {
  const forAll = grants.filter(({ selector }) => selector === null);
  const starts = new Set(grants.flatMap(({ selector }) => selector ?? []));
  const sections: Section[] = [...starts].map((start) => ({
    start,
    heads: highest([...forAll, ...grants.filter(({ selector }) => selector === start)]),
  }));
  return forAll.length === 0 ? sections : [...sections, { start: null, heads: highest(forAll) }];
}

function highest(grants: readonly EndedGrant[]): Map<LogId, LogEnd> {
  const all = new Map<LogId, LogEnd>();
  for (const [log, end] of grants.flatMap(({ heads }) => [...heads])) {
    if (end.seq > (all.get(log)?.seq ?? 0)) all.set(log, end);
  }
  return all;
}
