/**
 * UDP sockets by system calls, through koffi: many packets with one call.
 *
 * Node reads and writes one datagram with one system call each, which is most of the work for a
 * question. Only for little-endian machines of 64 bits with glibc; {@link loadSockets} says whether
 * this is one.
 */
import { createRequire } from "node:module";
import { constants, endianness } from "node:os";
import { isIPv6 } from "node:net";
import { addressBytes } from "../client.ts";
import type { Listen } from "../listen.ts";

/** Of linux/socket.h and its like. */
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_DONTWAIT = 0x40;
const EFD_CLOEXEC_NONBLOCK = 0x80000 | 0x800;
/** Room for bursts while the thread is busy; the kernel may grant less. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
/** sockaddr_in6; a sockaddr_in has 16. */
export const SOCKET_ADDRESS_BYTES = 28;

interface Koffi {
  load(library: string): { func(definition: string): (...args: unknown[]) => unknown };
  errno(): number;
  view(address: bigint, sizeBytes: number): ArrayBuffer;
}

/** Memory that stays where it is, so that the kernel can be told where that is. */
export interface FixedMemory {
  readonly address: bigint;
  readonly bytes: Buffer;
}

export interface BoundSocket {
  readonly fd: number;
  readonly port: number;
}

/** An error of a system call as Node's own have it. */
function failure(call: string, errno: number): NodeJS.ErrnoException {
  const found = Object.entries(constants.errno).find(([, number]) => number === errno);
  const code = found?.[0] ?? `errno ${errno}`;
  return Object.assign(new Error(`${call} ${code}`), { code, errno, syscall: call });
}

export class SystemSockets {
  readonly #koffi: Koffi;
  readonly #call: Readonly<Record<string, (...args: unknown[]) => unknown>>;

  constructor(koffi: Koffi) {
    this.#koffi = koffi;
    const libc = koffi.load("libc.so.6");
    this.#call = {
      calloc: libc.func("size_t calloc(size_t count, size_t size)"),
      socket: libc.func("int socket(int family, int type, int protocol)"),
      setsockopt: libc.func("int setsockopt(int fd, int level, int name, void *value, int size)"),
      bind: libc.func("int bind(int fd, void *address, int size)"),
      getsockname: libc.func("int getsockname(int fd, void *address, void *size)"),
      sendto: libc.func(
        "long sendto(int fd, void *bytes, size_t count, int flags, void *place, int size)",
      ),
      eventfd: libc.func("int eventfd(unsigned int value, int flags)"),
      close: libc.func("int close(int fd)"),
    };
  }

  /** Functions that are called for each batch: bare numbers in, bare numbers out. */
  batchCalls() {
    const libc = this.#koffi.load("libc.so.6");
    return {
      recvmmsg: libc.func(
        "int recvmmsg(int fd, size_t vector, unsigned int count, int flags, size_t timeout)",
      ) as (fd: number, vector: bigint, count: number, flags: number, timeout: number) => number,
      sendmmsg: libc.func("int sendmmsg(int fd, size_t vector, unsigned int count, int flags)") as (
        fd: number,
        vector: bigint,
        count: number,
        flags: number,
      ) => number,
      poll: libc.func("int poll(size_t entries, unsigned long count, int timeout)") as (
        entries: bigint,
        count: number,
        timeoutMs: number,
      ) => number,
    };
  }

  /** Zeros, for as long as the process lives. */
  memory(sizeBytes: number): FixedMemory {
    const address = BigInt(this.#call["calloc"]?.(1, sizeBytes) as number | bigint);
    return { address, bytes: Buffer.from(this.#koffi.view(address, sizeBytes)) };
  }

  /**
   * @param shared - Other sockets of this process may be bound to the same address.
   * @throws An error with the code of the system, such as EADDRINUSE.
   */
  bind({ address, port }: Listen, kind: "udp" | "tcp", shared = false): BoundSocket {
    const six = isIPv6(address);
    const type = (kind === "udp" ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC;
    const fd = this.#do("socket", six ? AF_INET6 : AF_INET, type, 0);
    try {
      const set = (level: number, name: number, value: number): void => {
        const number = Buffer.alloc(4);
        number.writeInt32LE(value);
        this.#do("setsockopt", fd, level, name, number, 4);
      };
      if (kind === "udp") set(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
      if (six) set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
      if (shared) set(SOL_SOCKET, SO_REUSEPORT, 1);
      const place = Buffer.alloc(six ? SOCKET_ADDRESS_BYTES : 16);
      place.writeUInt16LE(six ? AF_INET6 : AF_INET);
      place.writeUInt16BE(port, 2);
      place.set(addressBytes(address), six ? 8 : 4);
      this.#do("bind", fd, place, place.length);
      return { fd, port: this.portOf(fd) };
    } catch (error) {
      this.close(fd);
      throw error;
    }
  }

  /** The port that a socket is bound to. */
  portOf(fd: number): number {
    return this.#nameOf(fd).readUInt16BE(2);
  }

  #nameOf(fd: number): Buffer {
    const place = Buffer.alloc(SOCKET_ADDRESS_BYTES);
    this.#do("getsockname", fd, place, lengthOf(place));
    return place;
  }

  /** A file that becomes readable when somebody writes eight bytes to it; for waking a thread. */
  eventFile(): number {
    return this.#do("eventfd", 0, EFD_CLOEXEC_NONBLOCK);
  }

  /** One packet, which is lost when the kernel does not take it. @param place - As it came. */
  sendTo(fd: number, bytes: Uint8Array, place: Uint8Array): void {
    const size = place[0] === AF_INET6 ? SOCKET_ADDRESS_BYTES : 16;
    this.#call["sendto"]?.(fd, bytes, bytes.length, MSG_DONTWAIT, place, size);
  }

  close(fd: number): void {
    this.#call["close"]?.(fd);
  }

  #do(name: string, ...args: readonly unknown[]): number {
    const outcome = Number(this.#call[name]?.(...args));
    if (outcome < 0) throw failure(name, this.#koffi.errno());
    return outcome;
  }
}

function lengthOf(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32LE(bytes.length);
  return length;
}

/** Undefined where the calls cannot be made: another system, or no koffi for it. */
export function loadSockets(): SystemSockets | undefined {
  if (process.platform !== "linux" || endianness() !== "LE") return undefined;
  if (process.arch !== "x64" && process.arch !== "arm64") return undefined;
  try {
    return new SystemSockets(createRequire(import.meta.url)("koffi") as Koffi);
  } catch {
    return undefined;
  }
}
