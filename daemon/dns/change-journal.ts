/**
 * What each change of zones made here has replaced, so that it can be undone.
 *
 * It stands between those who edit zones and the state. Each change gets an id, and what it
 * replaces is durable before the change is made. The journal stays at the site: the newest 1,000
 * changes, and no more than some 100 MB.
 */
import { z } from "zod";
import { encodeJson, isJsonValue, type JsonValue } from "../../protocol/encoding/json-value.ts";
import { sha256, toHex, type SiteId } from "../../protocol/ids.ts";
import type { Clock } from "../core/clock.ts";
import type { View } from "../core/logs/view.ts";
import { prefixRange, type Store, type StoreChange } from "../core/store.ts";
import { DnsError } from "./error.ts";

export interface RecordChange {
  readonly class: "zone";
  readonly key: string;
  /** Undefined deletes. */
  readonly value: JsonValue | undefined;
}

export interface ZoneWriter {
  /** Writes all changes durably or none; refuses without a grant. */
  write(changes: readonly RecordChange[]): Promise<unknown>;
}

/** One key of a change. */
export interface JournalLine {
  readonly key: string;
  /** Undefined: there was none. */
  readonly before: JsonValue | undefined;
  /** {@link digestOf} what was written; null: it was deleted. */
  readonly after: string | null;
}

const MAX_CHANGES = 1000;
const MAX_BYTES = 100_000_000;
/** A change's number begins with those of the site, so that others can tell where it was made. */
const SITE_DIGITS = 4;
const CHANCE_BYTES = 3;

export interface JournalOptions {
  readonly store: Store;
  /** Writes to the state. */
  readonly writer: ZoneWriter;
  readonly view: () => View;
  readonly clock: Clock;
  readonly siteId: SiteId;
  /** The sites of the mesh, this one among them. */
  readonly sites: () => readonly { readonly siteId: SiteId; readonly name: string }[];
}

const HEADS = prefixRange("dns/change/");
const partRange = (id: string) => prefixRange(`dns/part/${id}/`);

const headShape = z.object({
  id: z.string(),
  /** Counts up at this site: the order of changes. */
  number: z.int(),
  atMs: z.number(),
  zones: z.array(z.string()),
  written: z.int(),
  removed: z.int(),
  parts: z.int(),
  bytes: z.int(),
  /** The change that this one has undone. */
  undoes: z.string().nullable(),
});
export type ChangeHead = z.infer<typeof headShape>;

const lineShape = z.tuple([z.string(), z.custom<JsonValue>(isJsonValue), z.string().nullable()]);
const partShape = z.array(lineShape);

/** More are listed as their number only. */
const MAX_NAMED_ZONES = 20;

export class ChangeJournal {
  readonly #options: JournalOptions;
  readonly #store: Store;
  readonly #heads = new Map<string, ChangeHead>();
  /** One write at a time, so that what each has replaced is what it found. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: JournalOptions) {
    this.#options = options;
    this.#store = options.store;
  }

  static async open(options: JournalOptions): Promise<ChangeJournal> {
    const journal = new ChangeJournal(options);
    for await (const [, value] of options.store.entries(HEADS)) {
      const head = headShape.safeParse(parseJson(value));
      // The store may have damaged it: that change cannot be undone any more.
      if (head.success) journal.#heads.set(head.data.id, head.data);
    }
    return journal;
  }

  /**
   * Writes through to the state.
   *
   * @param of - The change that this belongs to: a new one, or one of {@link begin}.
   * @returns The id of the change.
   */
  write(changes: readonly RecordChange[], of: ChangeHead = this.begin(null)): Promise<string> {
    const written = this.#last.then(() => this.#write(changes, of.id, of));
    this.#last = written.catch(() => undefined);
    return written;
  }

  /** A change of several writes. It is there with the first of them. */
  begin(undoes: string | null): ChangeHead {
    const { clock, siteId } = this.#options;
    let id: string;
    do id = siteId.slice(0, SITE_DIGITS) + toHex(clock.random(CHANCE_BYTES));
    while (this.#heads.has(id));
    const newest = Math.max(0, ...[...this.#heads.values()].map(({ number }) => number));
    const none = { zones: [], written: 0, removed: 0, parts: 0, bytes: 0 };
    return { ...none, id, number: newest + 1, atMs: clock.wallMs(), undoes };
  }

  /** @throws DnsError (E-DNS-UNDO) when no such change was made here. */
  head(id: string): ChangeHead {
    const head = this.#heads.get(id.toLowerCase());
    if (head !== undefined) return head;
    const { siteId, sites } = this.#options;
    const begin = id.toLowerCase().slice(0, SITE_DIGITS);
    const others = sites().filter(
      (site) => site.siteId !== siteId && site.siteId.startsWith(begin),
    );
    if (begin.length === SITE_DIGITS && others.length > 0) {
      const names = others.map(({ name }) => name).join(" or ");
      throw new DnsError("E-DNS-UNDO", `The change ${id} was made at ${names}, not here.`, {
        hint: `What it replaced is known there only. Run at ${names}:  pleach dns undo ${id}`,
      });
    }
    throw new DnsError("E-DNS-UNDO", `No change ${id} was made at this site.`, {
      hint: "See those that were:  pleach dns changes",
    });
  }

  /** The newest first. */
  list(): readonly ChangeHead[] {
    return [...this.#heads.values()].toSorted((a, b) => b.number - a.number);
  }

  /** What a change replaced: of each key the first value before and the last one after it. */
  async lines(id: string): Promise<readonly JournalLine[]> {
    const found = new Map<string, JournalLine>();
    let parts = 0;
    for await (const [, value] of this.#store.entries(partRange(id))) {
      const part = partShape.safeParse(parseJson(value));
      if (!part.success) break;
      parts += 1;
      for (const [key, before, after] of part.data) {
        const first = found.get(key)?.before;
        found.set(key, {
          key,
          before: found.has(key) ? first : before === null ? undefined : before,
          after,
        });
      }
    }
    if (parts >= this.head(id).parts) return [...found.values()];
    throw new DnsError("E-DNS-UNDO", `What the change ${id} replaced was lost on the disk.`, {
      hint: "Set the records by hand:  pleach dns set NAME TYPE DATA",
    });
  }

  async #write(changes: readonly RecordChange[], id: string, begun: ChangeHead): Promise<string> {
    const view = this.#options.view();
    const lines = changes.map(({ key, value }) => [
      key,
      view.get("zone", key)?.value ?? null,
      value === undefined ? null : digestOf(value),
    ]);
    const part = Buffer.from(JSON.stringify(lines));
    const before = this.#heads.get(id) ?? begun;
    const zones = new Set([
      ...before.zones,
      ...changes.map(({ key }) => key.split("/", 1)[0] ?? ""),
    ]);
    const removed = changes.filter(({ value }) => value === undefined).length;
    const head: ChangeHead = {
      ...before,
      zones: [...zones].slice(0, MAX_NAMED_ZONES),
      written: before.written + changes.length - removed,
      removed: before.removed + removed,
      parts: before.parts + 1,
      bytes: before.bytes + part.length,
    };
    const place = `${partRange(id).from}${String(before.parts).padStart(6, "0")}`;
    await this.#store.write(
      [headChange(head), { kind: "put", key: place, value: part }, ...(await this.#tooOld(head))],
      "durable",
    );
    this.#heads.set(id, head);
    await this.#options.writer.write(changes);
    return id;
  }

  /** The oldest changes that find no room any more beside this one. */
  async #tooOld(newest: ChangeHead): Promise<StoreChange[]> {
    const others = this.list().filter(({ id }) => id !== newest.id);
    let bytes = newest.bytes;
    const gone: StoreChange[] = [];
    for (const [index, { id, bytes: own }] of others.entries()) {
      bytes += own;
      if (index < MAX_CHANGES - 1 && bytes <= MAX_BYTES) continue;
      this.#heads.delete(id);
      gone.push({ kind: "delete", key: HEADS.from + id });
      for await (const [key] of this.#store.entries(partRange(id)))
        gone.push({ kind: "delete", key });
    }
    return gone;
  }
}

/** Equal for equal values. */
export function digestOf(value: JsonValue): string {
  return toHex(sha256(encodeJson(value))).slice(0, 16);
}

function headChange(head: ChangeHead): StoreChange {
  return { kind: "put", key: HEADS.from + head.id, value: Buffer.from(JSON.stringify(head)) };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}
