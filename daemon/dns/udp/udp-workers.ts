/**
 * The threads that answer UDP, as the main thread sees them: it gives them zones and stops them.
 *
 * Needs koffi; see {@link UdpWorkers.start} for where there is none.
 */
import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { Logger } from "../../observe/log.ts";
import type { ListenPlace } from "../inherited-sockets.ts";
import { listenError } from "../listen.ts";
import type { Identity } from "../responder.ts";
import type { Serve } from "../serve.ts";
import type { ViewRule } from "../view-rules.ts";
import type { ServedDelta } from "../zone-tree.ts";
import { loadSockets } from "./system-sockets.ts";
import type { FromWorker, ReturnAddress, ToWorker, WorkerStart } from "./worker-messages.ts";
import { encodeDeltas } from "./zone-snapshot.ts";

/** Requests that are being worked on; more are dropped, and come again. Most wait for upstreams. */
const MAX_REQUESTS = 1024;

export interface UdpWorkersOptions {
  readonly listen: readonly ListenPlace[];
  readonly views: readonly ViewRule[];
  /** How many threads, from 1. */
  readonly threads: number;
  /** What one network gets without a cookie, see rate-limit.ts. */
  readonly answersPerSecond: number;
  readonly seed: number;
  readonly serve: Serve;
  readonly log: Logger;
}

export class UdpWorkers {
  readonly #threads: readonly Thread[];
  #version = 0;

  private constructor(threads: readonly Thread[]) {
    this.#threads = threads;
  }

  /**
   * Resolves when every socket is bound, in the order of `listen`; nothing is served yet.
   *
   * @returns Undefined where this machine has no koffi.
   * @throws DnsError (E-DNS-LISTEN) with the address; nothing is left listening.
   */
  static async start(options: UdpWorkersOptions): Promise<UdpWorkers | undefined> {
    if (loadSockets() === undefined) return undefined;
    const threads: Thread[] = [];
    try {
      let listen = options.listen;
      for (let index = 0; index < options.threads; index++) {
        const thread = await Thread.start({ ...options, listen });
        threads.push(thread);
        listen = listen.map((place, at) => ({ ...place, port: thread.ports[at] ?? 0 }));
      }
    } catch (error) {
      await Promise.all(threads.map((thread) => thread.stop()));
      throw error;
    }
    return new UdpWorkers(threads);
  }

  /** Of each address. */
  get ports(): readonly number[] {
    return this.#threads[0]?.ports ?? [];
  }

  identify(identity: Identity): void {
    for (const thread of this.#threads) thread.send({ kind: "identity", identity });
  }

  /** Who sees what, from now on. */
  setViews(views: readonly ViewRule[]): void {
    for (const thread of this.#threads) thread.send({ kind: "views", views });
  }

  /** Resolves when all threads answer with these changes of the zones made. */
  async serve(deltas: readonly ServedDelta[]): Promise<void> {
    const version = ++this.#version;
    const bytes = encodeDeltas(deltas);
    await Promise.all(this.#threads.map((thread) => thread.serve(version, bytes)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }
}

class Thread {
  readonly #worker: Worker;
  readonly #bell: Int32Array;
  readonly #serve: Serve;
  readonly #log: Logger;
  readonly #exited: Promise<void>;
  /** Versions that somebody waits for, the oldest first. */
  readonly #waiting: { readonly version: number; readonly done: () => void }[] = [];
  #ports: readonly number[] = [];
  #wakeFile: number | undefined;
  #requests = 0;

  private constructor({ serve, log, ...options }: UdpWorkersOptions) {
    this.#serve = serve;
    this.#log = log;
    const bell = new SharedArrayBuffer(4);
    this.#bell = new Int32Array(bell);
    const { listen, views, threads, answersPerSecond, seed } = options;
    const start: WorkerStart = {
      ...{ listen, views, answersPerSecond, seed, bell },
      shared: threads > 1,
    };
    this.#worker = new Worker(new URL("./udp-worker.ts", import.meta.url), { workerData: start });
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.#wakeFile = undefined;
        for (const { done } of this.#waiting.splice(0)) done();
        resolve();
      });
    });
  }

  static async start(options: UdpWorkersOptions): Promise<Thread> {
    const thread = new Thread(options);
    await new Promise<void>((resolve, reject) => {
      thread.#worker.once("error", reject);
      thread.#worker.on("message", (message: FromWorker) => {
        if (message.kind === "failed") {
          const cause = Object.assign(new Error(message.code), { code: message.code });
          reject(listenError(message.listen, "UDP", cause));
        } else if (message.kind === "listening") {
          thread.#ports = message.ports;
          thread.#wakeFile = message.wakeFile;
          resolve();
        } else thread.#take(message);
      });
    });
    // A fault of the thread itself is one of the daemon, which then ends and starts again.
    thread.#worker.removeAllListeners("error");
    return thread;
  }

  get ports(): readonly number[] {
    return this.#ports;
  }

  #take(message: Exclude<FromWorker, { kind: "failed" | "listening" }>): void {
    if (message.kind === "serving") {
      while (this.#waiting[0] !== undefined && this.#waiting[0].version <= message.version) {
        this.#waiting.shift()?.done();
      }
    } else if (message.kind === "fault") {
      const packet = Buffer.from(message.packet.subarray(0, 512)).toString("base64");
      this.#log.error("a packet has met a fault", { error: message.error, packet });
    } else void this.#request(message);
  }

  async #request({
    packet,
    address,
    port,
    view,
    from,
  }: Extract<FromWorker, { kind: "request" }>): Promise<void> {
    if (this.#requests >= MAX_REQUESTS) return;
    this.#requests += 1;
    try {
      const client = { carrier: "udp", address, port, view } as const;
      for await (const bytes of this.#serve.request(packet, client)) {
        this.#answer(from, bytes);
        // What takes more than one message is not for UDP.
        break;
      }
    } finally {
      this.#requests -= 1;
    }
  }

  #answer(to: ReturnAddress, bytes: Uint8Array): void {
    this.send({ kind: "send", to, bytes });
  }

  serve(version: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#wakeFile === undefined) return Promise.resolve();
    const served = new Promise<void>((done) => void this.#waiting.push({ version, done }));
    const own = bytes.slice();
    this.send({ kind: "zones", version, bytes: own }, [own.buffer]);
    return served;
  }

  send(message: ToWorker, given: ArrayBuffer[] = []): void {
    if (this.#wakeFile === undefined) return;
    this.#worker.postMessage(message, given);
    Atomics.store(this.#bell, 0, 1);
    writeSync(this.#wakeFile, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
  }

  async stop(): Promise<void> {
    this.send({ kind: "stop" });
    await this.#exited;
  }
}
