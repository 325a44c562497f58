/**
 * What happens in the daemon, told to whoever listens on the control socket.
 *
 * Events are hints to look again, not a record: a listener that was away has missed them.
 */
export interface DaemonEvent {
  /** For example `link`, `view`, `statements`, `disk`, `config`. */
  readonly type: string;
  readonly [fact: string]: string | number | boolean | readonly string[];
}

export type EventListener = (event: DaemonEvent) => void;

export class Events {
  readonly #listeners = new Set<EventListener>();

  publish(event: DaemonEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Returns what ends the telling. */
  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
