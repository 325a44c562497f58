/**
 * A batch of datagrams, read with one system call and answered with another.
 *
 * The memory that the kernel reads and writes is laid out once: for each packet a header, a
 * vector, an address and room for its bytes. Answers refer to the address of their question.
 *
 * Source: recvmmsg(2), sendmmsg(2), msghdr of bits/socket.h on machines of 64 bits.
 */
import type { ZoneView } from "../../../protocol/dns/zone-view.ts";
import type { Client } from "../client.ts";
import { SOCKET_ADDRESS_BYTES, type FixedMemory, type SystemSockets } from "./system-sockets.ts";

/** As many as a thread answers before it looks for something else to do: a third of a millisecond. */
const BATCH = 64;
/** Questions are far below, updates may be long; a longer packet comes cut off. */
const PACKET_BYTES = 4096;
/** The longest answer over UDP, rounded up. */
const ANSWER_BYTES = 1280;

/** struct mmsghdr, and where its parts stand. */
const HEADER = { size: 64, name: 0, nameSize: 8, vector: 16, vectorCount: 24, length: 56 } as const;
/** struct iovec. */
const VECTOR = { size: 16, base: 0, length: 8 } as const;
/** sockaddr_in6, rounded up. */
const ADDRESS_SIZE = 32;
const AF_INET6 = 10;

const MSG_DONTWAIT = 0x40;

/** A client whose fields are those of the packet that is looked at; its view is the reader's to set. */
interface Slot extends Client {
  port: number;
  address: Uint8Array;
  view: ZoneView;
}

export class DatagramBatch {
  readonly #calls: ReturnType<SystemSockets["batchCalls"]>;
  readonly #questions: FixedMemory;
  readonly #answers: FixedMemory;
  readonly #in: FixedMemory;
  readonly #out: FixedMemory;
  readonly #addresses: FixedMemory;
  readonly #slots: readonly { readonly client: Slot; readonly v4: Buffer; readonly v6: Buffer }[];
  /** Whose address each answer's header points at. */
  readonly #named = Int32Array.from({ length: BATCH }, (_, index) => index);
  #waiting = 0;

  constructor(sockets: SystemSockets) {
    this.#calls = sockets.batchCalls();
    this.#questions = sockets.memory(BATCH * PACKET_BYTES);
    this.#answers = sockets.memory(BATCH * ANSWER_BYTES);
    this.#addresses = sockets.memory(BATCH * ADDRESS_SIZE);
    this.#in = this.#headers(sockets, this.#questions.address, PACKET_BYTES);
    this.#out = this.#headers(sockets, this.#answers.address, ANSWER_BYTES);
    this.#slots = Array.from({ length: BATCH }, (_, index) => {
      const at = index * ADDRESS_SIZE;
      const v4 = this.#addresses.bytes.subarray(at + 4, at + 8);
      const v6 = this.#addresses.bytes.subarray(at + 8, at + 24);
      return { client: { carrier: "udp", address: v4, port: 0, view: "public" }, v4, v6 };
    });
  }

  /** Headers with their vectors behind them, one for each packet. */
  #headers(sockets: SystemSockets, packets: bigint, sizeBytes: number): FixedMemory {
    const memory = sockets.memory(BATCH * (HEADER.size + VECTOR.size));
    for (let index = 0; index < BATCH; index++) {
      const header = index * HEADER.size;
      const vector = BATCH * HEADER.size + index * VECTOR.size;
      const { bytes } = memory;
      const name = this.#addresses.address + BigInt(index * ADDRESS_SIZE);
      bytes.writeBigUInt64LE(name, header + HEADER.name);
      bytes.writeUInt32LE(SOCKET_ADDRESS_BYTES, header + HEADER.nameSize);
      bytes.writeBigUInt64LE(memory.address + BigInt(vector), header + HEADER.vector);
      bytes.writeBigUInt64LE(1n, header + HEADER.vectorCount);
      bytes.writeBigUInt64LE(packets + BigInt(index * sizeBytes), vector + VECTOR.base);
      bytes.writeBigUInt64LE(BigInt(sizeBytes), vector + VECTOR.length);
    }
    return memory;
  }

  /** Reads what has come, at most {@link BATCH} packets. @returns How many; 0 for none. */
  receive(fd: number): number {
    const { bytes, address } = this.#in;
    const count = this.#calls.recvmmsg(fd, address, BATCH, MSG_DONTWAIT, 0);
    this.#waiting = 0;
    for (let index = 0; index < count; index++) {
      // The kernel writes here how long the address was.
      bytes.writeUInt32LE(SOCKET_ADDRESS_BYTES, index * HEADER.size + HEADER.nameSize);
    }
    return Math.max(0, count);
  }

  /** A view that is good until the next {@link receive}. */
  packet(index: number): Buffer {
    const size = this.#in.bytes.readUInt32LE(index * HEADER.size + HEADER.length);
    const at = index * PACKET_BYTES;
    return this.#questions.bytes.subarray(at, at + Math.min(size, PACKET_BYTES));
  }

  /** Who sent it; good until the next {@link receive}. */
  client(index: number): Slot {
    const slot = this.#slots[index];
    if (slot === undefined) throw new RangeError(`slot ${index}`);
    const { client } = slot;
    const at = index * ADDRESS_SIZE;
    const { bytes } = this.#addresses;
    client.port = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    client.address = bytes[at] === AF_INET6 ? slot.v6 : slot.v4;
    return client;
  }

  /** The address of the sender as the system has it, to answer him later. */
  place(index: number): Uint8Array {
    const at = index * ADDRESS_SIZE;
    return Uint8Array.from(this.#addresses.bytes.subarray(at, at + SOCKET_ADDRESS_BYTES));
  }

  /** Puts the answer to a packet into the batch. */
  answer(index: number, answer: Uint8Array): void {
    const slot = this.#waiting++;
    const { bytes } = this.#out;
    this.#answers.bytes.set(answer.subarray(0, ANSWER_BYTES), slot * ANSWER_BYTES);
    const vector = BATCH * HEADER.size + slot * VECTOR.size;
    bytes.writeUInt32LE(answer.length, vector + VECTOR.length);
    // Slots are filled in order; the address is the one of the question's slot.
    if (this.#named[slot] !== index) {
      const name = this.#addresses.address + BigInt(index * ADDRESS_SIZE);
      bytes.writeBigUInt64LE(name, slot * HEADER.size + HEADER.name);
      this.#named[slot] = index;
    }
  }

  /** Sends all answers of the batch; those that the kernel does not take are lost packets. */
  send(fd: number): void {
    const { address } = this.#out;
    for (let done = 0; done < this.#waiting;) {
      const at = address + BigInt(done * HEADER.size);
      const sent = this.#calls.sendmmsg(fd, at, this.#waiting - done, MSG_DONTWAIT);
      // One that cannot be sent ends the call in front of it; the others go on.
      done += sent > 0 ? sent : 1;
    }
    this.#waiting = 0;
  }
}
