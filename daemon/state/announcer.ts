/**
 * Tells others of what has become durable.
 *
 * Items are told one by one, for replication. Changes of the picture are gathered over a group of
 * jobs, so that a round that brings a thousand entries makes readers look once.
 */
import {
  isRecordClass,
  RECORD_CLASSES,
  type ClassName,
  type RecordClass,
} from "../../protocol/logs/record-class.ts";
import type { Logger } from "../observe/log.ts";
import type { NewItem } from "./replica.ts";

export type StateEvent =
  | { readonly kind: "statements" }
  | { readonly kind: "view"; readonly classes: ReadonlySet<RecordClass> };

export class Announcer {
  readonly #log: Logger;
  readonly #listeners = new Set<(event: StateEvent) => void>();
  readonly #itemListeners = new Set<(item: NewItem) => void>();
  #statements = false;
  #classes = new Set<RecordClass>();

  constructor(log: Logger) {
    this.#log = log;
  }

  onEvent(listener: (event: StateEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onItem(listener: (item: NewItem) => void): () => void {
    this.#itemListeners.add(listener);
    return () => this.#itemListeners.delete(listener);
  }

  tellItem(item: NewItem): void {
    this.#callAll(this.#itemListeners, item);
  }

  /** Other rights may show or hide any record. */
  noteStatements(): void {
    this.#statements = true;
    this.#classes = new Set(RECORD_CLASSES);
  }

  noteClass(name: ClassName): void {
    if (isRecordClass(name)) this.#classes.add(name);
  }

  /** Tells what was noted since the last time. */
  announce(): void {
    const classes = this.#classes;
    const statements = this.#statements;
    this.#classes = new Set();
    this.#statements = false;
    if (statements) this.#callAll(this.#listeners, { kind: "statements" });
    if (classes.size > 0) this.#callAll(this.#listeners, { kind: "view", classes });
  }

  /** What is durable stays so, whatever a listener does. */
  #callAll<Event>(listeners: Iterable<(event: Event) => void>, event: Event): void {
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error("a listener failed", { error: String(error) });
      }
    }
  }
}
