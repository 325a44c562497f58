/**
 * Cuts a stream of bytes into frames.
 *
 * The stream is a sequence of units. A unit is a head of four bytes, most significant first, and
 * as many bytes as its low 30 bits say; the bit above them says that the frame goes on in a later
 * unit. Two heads stand alone: all ones ends the sender's side, and any other head with its top
 * bit set acknowledges as many received bytes as its low 31 bits say (see bulk-budget.ts). They
 * may come between the units of one frame.
 *
 * Nothing is allocated for a unit before all of it is there, and a head that makes its frame
 * longer than MAX_FRAME_BYTES is refused at once.
 */
import { MAX_FRAME_BYTES } from "../core/transport.ts";
import { MeshError } from "./error.ts";

const HEAD_BYTES = 4;
const STANDS_ALONE = 0x8000_0000;
const GOES_ON = 0x4000_0000;
const ENDS = 0xffff_ffff;

/** What a queued frame costs beside its bytes, so that a flood of empty frames is bounded too. */
const FRAME_OVERHEAD_BYTES = 64;

export const END_HEAD: Uint8Array = head(ENDS);

/** A unit as it goes over the wire. */
export function unit(bytes: Uint8Array, goesOn: boolean): Uint8Array {
  const whole = new Uint8Array(HEAD_BYTES + bytes.length);
  whole.set(head(goesOn ? GOES_ON + bytes.length : bytes.length));
  whole.set(bytes, HEAD_BYTES);
  return whole;
}

export function acknowledgeHead(sizeBytes: number): Uint8Array {
  return head(STANDS_ALONE + sizeBytes);
}

function head(value: number): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** What the reader tells while it takes bytes. */
export interface UnitListener {
  /** A unit has come; its frame is whole unless it goes on. */
  readonly onUnit: (sizeBytes: number, goesOn: boolean) => void;
  /** The peer has received so many bytes of units. */
  readonly onAcknowledged: (sizeBytes: number) => void;
}

export class FrameReader {
  readonly #listener: UnitListener;
  readonly #frames: Uint8Array[] = [];
  readonly #chunks: Uint8Array[] = [];
  /** The units of the frame that is not whole yet. */
  #parts: Uint8Array[] = [];
  #chunkBytes = 0;
  #frameBytes = 0;
  #partBytes = 0;
  #ended = false;

  constructor(listener: UnitListener) {
    this.#listener = listener;
  }

  /** Whether the peer has ended its side; frames may still be waiting. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whole frames that wait to be taken. */
  get frames(): number {
    return this.#frames.length;
  }

  /** What is held here: whole frames with their overhead, and the parts of one. */
  get heldBytes(): number {
    return this.#frameBytes + this.#partBytes + this.#chunkBytes;
  }

  /**
   * Takes bytes as they come.
   *
   * @throws MeshError (E-MESH-FORM) when they break the format; the stream is of no more use then.
   */
  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#chunkBytes += bytes.length;
    while (this.#chunkBytes >= HEAD_BYTES) {
      const value = this.#peekHead();
      if (this.#ended && value < STANDS_ALONE) {
        throw new MeshError("E-MESH-FORM", "A frame came after the end.");
      }
      if (value >= STANDS_ALONE) {
        this.#take(HEAD_BYTES);
        if (value !== ENDS) this.#listener.onAcknowledged(value - STANDS_ALONE);
        else if (this.#parts.length > 0) throw new MeshError("E-MESH-FORM", "Half a frame ended.");
        else this.#ended = true;
        continue;
      }
      const goesOn = value >= GOES_ON;
      const sizeBytes = goesOn ? value - GOES_ON : value;
      if (sizeBytes + this.#partBytes > MAX_FRAME_BYTES || (goesOn && sizeBytes === 0)) {
        throw new MeshError("E-MESH-FORM", `A unit of ${sizeBytes} bytes was announced.`);
      }
      if (this.#chunkBytes < HEAD_BYTES + sizeBytes) return;
      this.#take(HEAD_BYTES);
      this.#addUnit(this.#take(sizeBytes), goesOn);
      this.#listener.onUnit(sizeBytes, goesOn);
    }
  }

  #addUnit(bytes: Uint8Array, goesOn: boolean): void {
    if (goesOn || this.#parts.length > 0) {
      this.#parts.push(bytes);
      this.#partBytes += bytes.length;
    }
    if (goesOn) return;
    const frame = this.#parts.length > 0 ? joined(this.#parts, this.#partBytes) : bytes;
    this.#parts = [];
    this.#partBytes = 0;
    this.#frames.push(frame);
    this.#frameBytes += frame.length + FRAME_OVERHEAD_BYTES;
  }

  /** The next whole frame, if there is one. */
  shift(): Uint8Array | undefined {
    const frame = this.#frames.shift();
    if (frame !== undefined) this.#frameBytes -= frame.length + FRAME_OVERHEAD_BYTES;
    return frame;
  }

  /** Forgets everything that is held. */
  clear(): void {
    this.#frames.length = 0;
    this.#chunks.length = 0;
    this.#parts = [];
    this.#chunkBytes = 0;
    this.#frameBytes = 0;
    this.#partBytes = 0;
  }

  #peekHead(): number {
    let value = 0;
    let seen = 0;
    for (const chunk of this.#chunks) {
      for (const byte of chunk) {
        value = value * 256 + byte;
        seen += 1;
        if (seen === HEAD_BYTES) return value;
      }
    }
    return value;
  }

  #take(sizeBytes: number): Uint8Array {
    const taken = new Uint8Array(sizeBytes);
    let filled = 0;
    while (filled < sizeBytes) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) throw new RangeError("took more than there is");
      const part = chunk.subarray(0, sizeBytes - filled);
      taken.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#chunkBytes -= sizeBytes;
    return taken;
  }
}

function joined(parts: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const whole = new Uint8Array(sizeBytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
