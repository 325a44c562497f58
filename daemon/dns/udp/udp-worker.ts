/**
 * A thread that answers UDP and does nothing else, so that no other work of the daemon makes a
 * question wait.
 *
 * It goes round: reads packets from each socket, answers them, takes a step in building the next
 * version of the zones, and sleeps in the kernel when there is nothing to do. Its event loop
 * never turns; messages are taken by hand when the bell has rung.
 */
import { readSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { systemClock } from "../../observe/system-clock.ts";
import type { ZoneView } from "../../../protocol/dns/zone-view.ts";
import { RateLimit } from "../rate-limit.ts";
import { Responder } from "../responder.ts";
import { viewOf, type ViewRule } from "../view-rules.ts";
import { ZoneTree } from "../zone-tree.ts";
import { DatagramBatch } from "./datagram-batch.ts";
import { loadSockets, type FixedMemory, type SystemSockets } from "./system-sockets.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./worker-messages.ts";
import { readDeltas } from "./zone-snapshot.ts";

/** The longest that packets wait for the building of zones. */
const STEP_MS = 0.2;
/** A thread that sleeps in the kernel holds up the end of the process: not for longer than this. */
const SLEEP_MS = 250;
/** What a question may wait for others at a high rate. */
const GATHER_MS = 0.015;
/** A rate is high from 50,000 questions a second, looked at each millisecond. */
const BUSY_PER_MS = 50;
const RATE_WINDOW_MS = 1;
/** struct pollfd. */
const POLL = { size: 8, events: 4, returned: 6, readable: 1 } as const;

class UdpThread {
  readonly #sockets: SystemSockets;
  readonly #batch: DatagramBatch;
  readonly #responder: Responder;
  readonly #bell: Int32Array;
  readonly #fds: readonly number[];
  /** Of each socket. */
  readonly #listenViews: readonly (ZoneView | undefined)[];
  #views: readonly ViewRule[];
  readonly #wakeFile: number;
  readonly #wait: FixedMemory;
  readonly #poll: ReturnType<SystemSockets["batchCalls"]>["poll"];
  /** How many packets have come since when. */
  readonly #window = { startMs: 0, packets: 0, isBusy: false };
  readonly #tree = new ZoneTree();
  /** Changes of zones that are not made yet, in their order; the first is under way. */
  readonly #changes: { readonly version: number; readonly steps: Iterator<undefined, void> }[] = [];
  #stopped = false;
  /** Until the first zones are there, questions wait in the sockets. */
  #serves = false;

  constructor(sockets: SystemSockets, fds: readonly number[], start: WorkerStart) {
    this.#sockets = sockets;
    this.#fds = fds;
    this.#listenViews = start.listen.map(({ view }) => view);
    this.#views = start.views;
    this.#batch = new DatagramBatch(sockets);
    this.#bell = new Int32Array(start.bell);
    this.#wakeFile = sockets.eventFile();
    this.#poll = sockets.batchCalls().poll;
    this.#wait = sockets.memory(POLL.size * (fds.length + 1));
    for (const [index, fd] of [this.#wakeFile, ...fds].entries()) {
      this.#wait.bytes.writeInt32LE(fd, index * POLL.size);
      this.#wait.bytes.writeInt16LE(POLL.readable, index * POLL.size + POLL.events);
    }
    const { answersPerSecond: perSecond, seed } = start;
    this.#responder = new Responder({
      zones: this.#tree,
      ...{ siteName: "", cookieSecrets: [], guarded: [], forwards: false },
      limit: new RateLimit({ perSecond, seed }),
      clock: systemClock,
    });
  }

  run(): void {
    const ports = this.#fds.map((fd) => this.#sockets.portOf(fd));
    tell({ kind: "listening", ports, wakeFile: this.#wakeFile });
    while (!this.#stopped) {
      let received = 0;
      if (this.#serves) {
        for (const [index, fd] of this.#fds.entries()) received += this.#answer(index, fd);
      }
      if (Atomics.exchange(this.#bell, 0, 0) !== 0) this.#takeMessages();
      else if (this.#changes.length > 0) this.#change();
      else if (received === 0) this.#sleep();
    }
    this.#sockets.close(this.#wakeFile);
  }

  #answer(index: number, fd: number): number {
    const count = this.#batch.receive(fd);
    const listenView = this.#listenViews[index];
    for (let slot = 0; slot < count; slot++) {
      const packet = this.#batch.packet(slot);
      const client = this.#batch.client(slot);
      // Port 0 cannot be answered.
      if (client.port === 0) continue;
      client.view = viewOf(this.#views, listenView, client.address);
      try {
        const response = this.#responder.respond(packet, client);
        if (response === "request") {
          tell({
            kind: "request",
            packet: Uint8Array.from(packet),
            address: Uint8Array.from(client.address),
            port: client.port,
            view: client.view,
            from: { socket: index, place: this.#batch.place(slot) },
          });
        } else if (response !== "silence") this.#batch.answer(slot, response);
      } catch (error) {
        // A packet must never end the thread, whatever fault of ours it has found.
        tell({ kind: "fault", error: String(error), packet: Uint8Array.from(packet) });
      }
    }
    if (count > 0) this.#batch.send(fd);
    this.#window.packets += count;
    return count;
  }

  #sleep(): void {
    // The bell comes first. Before there are zones questions stay where they are, and end no sleep.
    this.#poll(this.#wait.address, this.#serves ? this.#fds.length + 1 : 1, SLEEP_MS);
    // A file without a word makes an error, which costs more than all else that is done for a question.
    if (this.#wait.bytes.readInt16LE(POLL.returned) === 0) return this.#gather();
    try {
      readSync(this.#wakeFile, new Uint8Array(8));
    } catch (error) {
      // It was not the bell that has ended the sleep.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }

  /**
   * Where questions come fast, waits for some more of them: a call for each costs more than their
   * answers. Where they do not, each is answered at once.
   */
  #gather(): void {
    const nowMs = performance.now();
    const windowMs = nowMs - this.#window.startMs;
    if (windowMs > RATE_WINDOW_MS) {
      this.#window.isBusy = this.#window.packets > BUSY_PER_MS * windowMs;
      this.#window.startMs = nowMs;
      this.#window.packets = 0;
    }
    if (!this.#window.isBusy) return;
    const endMs = nowMs + GATHER_MS;
    while (performance.now() < endMs);
  }

  #takeMessages(): void {
    if (parentPort === null) return;
    for (;;) {
      const taken = receiveMessageOnPort(parentPort) as { message: ToWorker } | undefined;
      if (taken === undefined) return;
      const { message } = taken;
      if (message.kind === "stop") this.#stopped = true;
      else if (message.kind === "identity") this.#responder.identify(message.identity);
      else if (message.kind === "views") this.#views = message.views;
      else if (message.kind === "zones") {
        const steps = changed(this.#tree, message.bytes);
        this.#changes.push({ version: message.version, steps });
      } else {
        const fd = this.#fds[message.to.socket];
        if (fd !== undefined) this.#sockets.sendTo(fd, message.bytes, message.to.place);
      }
    }
  }

  #change(): void {
    const endMs = performance.now() + STEP_MS;
    while (performance.now() < endMs) {
      const [first] = this.#changes;
      if (first === undefined) return;
      if (first.steps.next().done !== true) continue;
      this.#changes.shift();
      // Kept answers are of before.
      this.#responder.serve(this.#tree);
      this.#serves = true;
      tell({ kind: "serving", version: first.version });
    }
  }
}

function* changed(tree: ZoneTree, bytes: Uint8Array): Generator<undefined, void> {
  yield* tree.change(yield* readDeltas(bytes));
}

function tell(message: FromWorker): void {
  parentPort?.postMessage(message);
}

function main(start: WorkerStart): void {
  const sockets = loadSockets();
  if (sockets === undefined) throw new Error("the main thread could load koffi, this one cannot");
  const fds: number[] = [];
  const own: number[] = [];
  for (const listen of start.listen) {
    try {
      const fd = listen.udpFd ?? sockets.bind(listen, "udp", start.shared).fd;
      fds.push(fd);
      if (fd !== listen.udpFd) own.push(fd);
    } catch (error) {
      for (const fd of own) sockets.close(fd);
      const { code = "" } = error as NodeJS.ErrnoException;
      return tell({ kind: "failed", listen, code });
    }
  }
  new UdpThread(sockets, fds, start).run();
  // What was passed to the process stays as long as it.
  for (const fd of own) sockets.close(fd);
}

main(workerData as WorkerStart);
