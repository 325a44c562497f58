/**
 * A channel of frames over one libp2p stream, with true back-pressure both ways.
 *
 * Nothing else touches raw streams, for three measured reasons: `onDrain()` works once and then
 * lets a sender fill its memory; `for await` reads without end into memory, however slow its
 * consumer; and `pause()` resets a stream whose window is larger than its read buffer, which is
 * why node.ts keeps yamux's windows below that buffer.
 */
import type { Stream } from "@libp2p/interface";
import type { PeerKey } from "../../protocol/ids.ts";
import type { Clock } from "../core/clock.ts";
import { MAX_FRAME_BYTES, type BulkFlow, type Channel } from "../core/transport.ts";
import type { BulkBudget } from "./bulk-budget.ts";
import { drained } from "./drained.ts";
import { MeshError } from "./error.ts";
import { acknowledgeHead, END_HEAD, FrameReader, unit } from "./frame-reader.ts";
import { ReceiptsOwed } from "./receipts-owed.ts";
import type { Line } from "./uplinks.ts";

/** Reading pauses above this. One whole frame must fit in, or it would never be complete. */
const PAUSE_ABOVE_BYTES = MAX_FRAME_BYTES + 64 * 1024;
const RESUME_BELOW_BYTES = 128 * 1024;

/** Sees the bytes that go to libp2p, and come from it, outside of its encryption. */
export type Tap = (direction: "out" | "in", peer: PeerKey, bytes: Uint8Array) => void;

export interface ChannelOptions {
  readonly clock: Clock;
  /** Set for bulk: frames go in pieces under this budget, and what comes is acknowledged. */
  readonly budget?: BulkBudget | undefined;
  /** The line that bulk goes over, where its owner has set something for it. */
  readonly line?: Line | undefined;
  /** What bulk is for until `carries` says more. */
  readonly flow?: BulkFlow | undefined;
  readonly tap?: Tap | undefined;
}

/** Of a channel that is no bulk, and asks for no part of anything. */
const TALK: BulkFlow = { urgency: "proof", owner: "", set: "" };

interface Receiver {
  readonly resolve: (frame: Uint8Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

export class FrameChannel<Peer extends PeerKey> implements Channel<Peer> {
  readonly peer: Peer;
  readonly #stream: Stream;
  readonly #options: ChannelOptions;
  readonly #reader: FrameReader;
  #receiver: Receiver | undefined;
  #failure: MeshError | undefined;
  /** Settles when the last frame handed to `send` is with libp2p; never rejects. */
  #sending: Promise<unknown> = Promise.resolve();
  #ended = false;
  /**
   * `resume()` hands out what has waited and only then opens the window; a pause in between would
   * leave the window open for good, until the read buffer overflows and the stream is reset.
   */
  #resuming = false;
  #unacknowledgedBytes = 0;
  readonly #owed: ReceiptsOwed;
  #flow: BulkFlow;
  readonly #over = Promise.withResolvers<void>();
  #closed = false;

  /** Takes the stream over; must be called in the same turn in which the stream was handed out. */
  constructor(stream: Stream, peer: Peer, options: ChannelOptions) {
    this.peer = peer;
    this.#stream = stream;
    this.#options = options;
    this.#flow = options.flow ?? TALK;
    this.#reader = new FrameReader({
      onUnit: (sizeBytes, goesOn) => {
        if (options.budget !== undefined) this.#owed.came(sizeBytes, goesOn, this.#flow);
      },
      onAcknowledged: (sizeBytes) => this.#acknowledged(sizeBytes),
    });
    this.#owed = new ReceiptsOwed(
      options.line,
      () => {
        if (this.#failure === undefined) this.#acknowledge();
      },
      (error) => {
        if (this.#failure === undefined) this.abort(String(error));
      },
    );
    stream.addEventListener("message", (event) => this.#take(event.data.subarray()));
    stream.addEventListener("drain", () => this.#acknowledge());
    stream.addEventListener("remoteCloseWrite", () => this.#checkEnd());
    stream.addEventListener("close", (event) => {
      this.#fail(new MeshError("E-MESH-GONE", "The channel was cut.", { cause: event.error }));
    });
    if (stream.status !== "open") {
      this.#fail(new MeshError("E-MESH-GONE", "The channel was cut before it was used."));
    }
  }

  /** Whether nothing goes through any more, in either direction. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves when the channel is over: both sides ended, or it was cut. Never rejects. */
  whenClosed(): Promise<void> {
    return this.#over.promise;
  }

  async send(frame: Uint8Array): Promise<void> {
    if (frame.length > MAX_FRAME_BYTES) throw new RangeError(`frame of ${frame.length} bytes`);
    if (this.#ended) throw new MeshError("E-MESH-GONE", "Our side of the channel has ended.");
    await this.#inTurn(() => this.#write(frame));
  }

  receive(timeoutMs: number): Promise<Uint8Array | undefined> {
    if (this.#receiver !== undefined) throw new RangeError("two receivers on one channel");
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(timeoutMs, () => {
        this.#receiver = undefined;
        reject(new MeshError("E-MESH-TIMEOUT", `No frame came within ${timeoutMs} ms.`));
      });
      this.#receiver = {
        resolve: (frame) => {
          cancel();
          resolve(frame);
        },
        reject: (error) => {
          cancel();
          reject(error);
        },
      };
      this.#serve();
    });
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#inTurn(() => this.#handOver(END_HEAD));
    this.#closeWhenBothEnded();
  }

  carries(flow: BulkFlow): void {
    this.#flow = flow;
  }

  abort(reason: string): void {
    this.#reader.clear();
    this.#fail(new MeshError("E-MESH-GONE", `The channel was cut here: ${reason}`));
    this.#stream.abort(new Error(reason));
  }

  /** A write that fails may have left half a frame, so the channel goes with it. */
  #inTurn(write: () => Promise<void>): Promise<void> {
    const turn = this.#sending.then(write);
    this.#sending = turn.catch((error: unknown) => {
      if (this.#failure === undefined) this.abort(String(error));
    });
    return turn;
  }

  async #write(frame: Uint8Array): Promise<void> {
    const { budget, line } = this.#options;
    if (budget === undefined) return this.#handOver(unit(frame, false));
    for (let from = 0; ;) {
      const halfSecondBytes = line?.send.halfSecondBytes;
      if (halfSecondBytes !== undefined) budget.limitTo(halfSecondBytes);
      const piece = frame.subarray(from, from + budget.pieceBytes);
      from += piece.length;
      const goesOn = from < frame.length;
      // The line first: what waits there is not under way, and is no measure of the round trip.
      await line?.send.pass(this.#flow, piece.length);
      if (this.#failure !== undefined) throw this.#failure;
      await budget.take(piece.length, this.#flow);
      this.#unacknowledgedBytes += piece.length;
      if (this.#failure !== undefined) this.#settleAll();
      await this.#handOver(unit(piece, goesOn));
      if (!goesOn) return undefined;
    }
  }

  async #handOver(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#options.tap?.("out", this.peer, bytes);
    if (this.#stream.send(bytes)) return;
    const stuck = (): void => this.abort("the peer took nothing for 60 s");
    await drained(this.#stream, this.#options.clock, stuck, () => this.#failure);
  }

  #take(bytes: Uint8Array): void {
    if (this.#failure !== undefined) return;
    this.#options.tap?.("in", this.peer, bytes);
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    this.#acknowledge();
    if (!this.#resuming) this.#pauseIfFull();
    this.#serve();
    this.#closeWhenBothEnded();
    this.#checkEnd();
  }

  #refuse(error: unknown): void {
    this.#fail(
      error instanceof MeshError
        ? error
        : new MeshError("E-MESH-FORM", "The peer broke the format.", { cause: error }),
    );
    this.#reader.clear();
    this.#stream.abort(new Error("bad frame"));
  }

  /** Gives the receiver, if one waits, what there is for it. */
  #serve(): void {
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    const frame = this.#reader.shift();
    if (frame === undefined && !this.#reader.ended && this.#failure === undefined) return;
    this.#receiver = undefined;
    if (frame !== undefined) receiver.resolve(frame);
    else if (this.#reader.ended) receiver.resolve(undefined);
    else receiver.reject(this.#failure ?? new MeshError("E-MESH-GONE", "The channel was cut."));
    this.#relax();
  }

  #relax(): void {
    // Without a whole frame here, only reading on can bring the next one.
    if (this.#reader.heldBytes >= RESUME_BELOW_BYTES && this.#reader.frames > 0) return;
    if (this.#stream.readStatus !== "paused" || this.#resuming) return;
    this.#resuming = true;
    try {
      this.#stream.resume();
    } catch (cause) {
      this.#fail(new MeshError("E-MESH-GONE", "The channel was cut.", { cause }));
    }
    this.#resuming = false;
    this.#pauseIfFull();
    this.#serve();
  }

  #pauseIfFull(): void {
    if (this.#reader.heldBytes <= PAUSE_ABOVE_BYTES) return;
    if (this.#stream.readStatus === "readable") this.#stream.pause();
  }

  #acknowledge(): void {
    const stream = this.#stream;
    if (!this.#owed.isDue) return;
    if (stream.writeStatus !== "writable" || stream.writableNeedsDrain) return;
    stream.send(acknowledgeHead(this.#owed.take()));
  }

  #acknowledged(sizeBytes: number): void {
    if (sizeBytes > this.#unacknowledgedBytes) {
      throw new MeshError("E-MESH-FORM", "More was acknowledged than was sent.");
    }
    this.#unacknowledgedBytes -= sizeBytes;
    this.#options.budget?.settled(sizeBytes);
  }

  #settleAll(): void {
    this.#options.budget?.settled(this.#unacknowledgedBytes);
    this.#unacknowledgedBytes = 0;
  }

  /** The peer closed its stream: fine after its end, a cut before it. */
  #checkEnd(): void {
    const gone = this.#stream.remoteWriteStatus === "closed" && this.#stream.readBufferLength === 0;
    if (gone && !this.#reader.ended) {
      this.#fail(new MeshError("E-MESH-GONE", "The peer left in the middle."));
      this.#stream.abort(new Error("left in the middle"));
    }
  }

  #closeWhenBothEnded(): void {
    if (!this.#ended || !this.#reader.ended || this.#closed) return;
    void this.#sending.then(() => {
      this.#settleAll();
      this.#announceClosed();
      return this.#stream.close().catch(() => undefined);
    });
  }

  #fail(error: MeshError): void {
    this.#failure ??= error;
    this.#settleAll();
    this.#serve();
    this.#announceClosed();
  }

  #announceClosed(): void {
    this.#closed = true;
    this.#over.resolve();
  }
}
