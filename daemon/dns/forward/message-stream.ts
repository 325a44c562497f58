/**
 * Questions over one connection to a server, TCP or TLS: opened when there is one, used for all, and
 * closed when none was asked for a while. Answers are taken in any order.
 *
 * The other side is not trusted: what it sends is bounded in size, each question in time, and an
 * answer counts only when it repeats the question. A connection that says nothing for long is given up.
 *
 * Source: RFC 7766 (pipelining, reuse), RFC 7858 section 3.4.
 */
import type { Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import { matchReply } from "../../core/forward/upstream-query.ts";

export interface StreamOptions {
  /** Starts to connect. */
  readonly connect: () => Socket;
  /** The event that says that questions may be sent: "connect", or "secureConnect". */
  readonly readyEvent: "connect" | "secureConnect";
  readonly clock: Clock;
}

export type StreamAnswer =
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  | { readonly kind: "silent"; readonly reason: string };

/** Servers keep idle connections for some ten seconds (RFC 7858 section 3.4). */
const IDLE_MS = 30_000;
/**
 * How long a connection that has answered before may say nothing to a question: on a line that was
 * cut, or behind a router that has forgotten it, it looks just so. The question goes out by another.
 */
const DEAF_MS = 800;
const MAX_WAITING = 256;
/** Answers that nobody has asked for: a server that is broken, or worse. */
const MAX_UNASKED = 16;
const MIN_MESSAGE_BYTES = 12;

interface Waiting {
  readonly query: Uint8Array;
  /** Ends the waiting. */
  readonly finish: (answer: StreamAnswer) => void;
  /** Set when the connection it went out by had answered before: it may only have been closed. */
  readonly again: (() => void) | undefined;
}

export class MessageStream {
  readonly #options: StreamOptions;
  #connection: Connection | undefined;
  #closed = false;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  /**
   * Sends a question and waits for its answer.
   *
   * @param write - Makes the question with an id that is free on the connection.
   */
  ask(write: (id: number) => Uint8Array, timeoutMs: number): Promise<StreamAnswer> {
    return new Promise((resolve) => {
      let isOver = false;
      let connection: Connection | undefined;
      let id = 0;
      const finish = (answer: StreamAnswer): void => {
        if (isOver) return;
        isOver = true;
        cancel();
        resolve(answer);
      };
      let sentAtMs = 0;
      const cancel = this.#options.clock.after(timeoutMs, () => {
        connection?.giveUp(id, sentAtMs);
        finish({ kind: "silent", reason: "no answer in time" });
      });
      const send = (mayRepeat: boolean): void => {
        if (isOver) return;
        connection = this.#open();
        const free = connection?.freeId(this.#options.clock);
        if (connection === undefined || free === undefined) {
          return finish({ kind: "silent", reason: "too many questions wait for it" });
        }
        id = free;
        sentAtMs = this.#options.clock.monotonicMs();
        const again = mayRepeat && connection.hasAnswered ? () => send(false) : undefined;
        connection.send(id, { query: write(id), finish, again });
      };
      send(true);
    });
  }

  #open(): Connection | undefined {
    if (this.#closed) return undefined;
    if (this.#connection === undefined || this.#connection.isOver) {
      this.#connection = new Connection(this.#options);
    }
    return this.#connection;
  }

  close(): void {
    this.#closed = true;
    this.#connection?.end("closed here");
  }
}

class Connection {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  /** Until the connection is made. */
  #unsent: Uint8Array[] | undefined = [];
  #parts: Buffer[] = [];
  #partBytes = 0;
  #unasked = 0;
  #isOver = false;
  #hasAnswered = false;
  #heardAtMs: number;
  #cancelIdle: () => void;

  constructor({ connect, readyEvent, clock }: StreamOptions) {
    this.#clock = clock;
    this.#heardAtMs = clock.monotonicMs();
    this.#socket = connect();
    this.#cancelIdle = clock.after(IDLE_MS, () => this.end("idle"));
    this.#socket.setNoDelay(true);
    this.#socket.unref();
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      this.end(error.code ?? error.message);
    });
    this.#socket.on("close", () => this.end("it has closed the connection"));
    this.#socket.on("end", () => this.end("it has closed the connection"));
    this.#socket.on("data", (part: Buffer) => this.#receive(part));
    this.#socket.once(readyEvent, () => {
      const unsent = this.#unsent ?? [];
      this.#unsent = undefined;
      for (const frame of unsent) this.#socket.write(frame);
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** Undefined: too many questions wait. */
  freeId(clock: Clock): number | undefined {
    if (this.#waiting.size >= MAX_WAITING) return undefined;
    for (;;) {
      const [high = 0, low = 0] = clock.random(2);
      const id = high * 256 + low;
      if (!this.#waiting.has(id)) return id;
    }
  }

  send(id: number, waiting: Waiting): void {
    this.#waiting.set(id, waiting);
    this.#touch();
    if (this.#hasAnswered) {
      const sentAtMs = this.#clock.monotonicMs();
      this.#clock.after(DEAF_MS, () => {
        if (this.#waiting.get(id) === waiting) this.#endIfDeaf(sentAtMs);
      });
    }
    // RFC 7766 section 8: length and message in one write.
    const frame = Buffer.allocUnsafe(waiting.query.length + 2);
    frame.writeUInt16BE(waiting.query.length);
    frame.set(waiting.query, 2);
    if (this.#unsent === undefined) this.#socket.write(frame);
    else this.#unsent.push(frame);
  }

  /** The question has run out of time. */
  giveUp(id: number, sentAtMs: number): void {
    this.#waiting.delete(id);
    this.#endIfDeaf(sentAtMs);
  }

  #endIfDeaf(sinceMs: number): void {
    if (this.#heardAtMs < sinceMs) this.end("no answer in time");
  }

  #touch(): void {
    this.#cancelIdle();
    if (!this.#isOver) this.#cancelIdle = this.#clock.after(IDLE_MS, () => this.end("idle"));
  }

  #receive(part: Buffer): void {
    this.#parts.push(part);
    this.#partBytes += part.length;
    while (!this.#isOver && this.#partBytes >= 2) {
      const head = this.#joined(2);
      const size = head.readUInt16BE(0);
      if (size < MIN_MESSAGE_BYTES) return this.end("it does not speak DNS");
      if (this.#partBytes < size + 2) return;
      const bytes = this.#joined(size + 2);
      this.#parts = [bytes.subarray(size + 2)];
      this.#partBytes = bytes.length - size - 2;
      this.#take(Uint8Array.from(bytes.subarray(2, size + 2)));
    }
  }

  /** The first part, made so long; parts are not joined for each byte that drips in. */
  #joined(sizeBytes: number): Buffer {
    const [first] = this.#parts;
    if (first !== undefined && first.length >= sizeBytes) return first;
    const all = Buffer.concat(this.#parts);
    this.#parts = [all];
    return all;
  }

  #take(bytes: Uint8Array): void {
    const id = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0);
    const waiting = this.#waiting.get(id);
    if (waiting === undefined || matchReply(waiting.query, bytes) === "other") {
      // An answer that was given up is late, and no sign of malice.
      this.#unasked += 1;
      if (this.#unasked > MAX_UNASKED) this.end("its answers are to other questions");
      return;
    }
    this.#heardAtMs = this.#clock.monotonicMs();
    this.#hasAnswered = true;
    this.#unasked = 0;
    this.#waiting.delete(id);
    this.#touch();
    waiting.finish({ kind: "message", bytes });
  }

  end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelIdle();
    this.#socket.destroy();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { finish, again } of waiting) {
      if (again === undefined) finish({ kind: "silent", reason });
      else again();
    }
  }
}
