/**
 * A gate before each site of a test mesh: a TCP proxy that others reach it by, which can be shut for
 * some of them.
 *
 * A gate tells callers apart by the process that made the connection. While it is shut for one, its
 * connections end and new ones are closed at once, as by a router without its uplink.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { socketOwner } from "./socket-owner.ts";

export interface GateOptions {
  readonly listen: { readonly address: string; readonly port: number };
  readonly target: { readonly address: string; readonly port: number };
  /** All processes that may call. */
  readonly callers: () => readonly number[];
  /**
   * Carries what one end sends to the other. Default: at once.
   *
   * @param sender - The process that called, when it is known, or the one that is called.
   */
  readonly carry?: (from: Socket, to: Socket, sender: number | "target" | undefined) => void;
}

interface Passage {
  readonly caller: number | undefined;
  readonly sockets: readonly [Socket, Socket];
}

export class Gate {
  readonly #server: Server;
  readonly #options: GateOptions;
  readonly #open = new Set<Passage>();
  /** Asked anew for each caller: a process that is started again has another id. */
  #shut: () => readonly number[] = () => [];
  /** Connections that were turned away while the gate was shut. */
  turnedAway = 0;

  private constructor(options: GateOptions) {
    this.#options = options;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => void this.#admit(socket));
  }

  static async open(options: GateOptions): Promise<Gate> {
    const gate = new Gate(options);
    gate.#server.listen(options.listen.port, options.listen.address);
    await once(gate.#server, "listening");
    return gate;
  }

  /** From now on; a caller that cannot be told is turned away while anybody is. */
  shutFor(callers: () => readonly number[]): void {
    this.#shut = callers;
    for (const passage of this.#open) {
      if (this.#isShutFor(passage.caller)) for (const socket of passage.sockets) socket.destroy();
    }
  }

  #isShutFor(caller: number | undefined): boolean {
    const shut = this.#shut();
    return shut.length > 0 && (caller === undefined || shut.includes(caller));
  }

  close(): void {
    for (const { sockets } of this.#open) for (const socket of sockets) socket.destroy();
    this.#server.close();
  }

  async #admit(socket: Socket): Promise<void> {
    socket.on("error", () => socket.destroy());
    const { remoteAddress = "", remotePort = 0 } = socket;
    const caller = await socketOwner(remoteAddress, remotePort, this.#options.callers());
    if (this.#isShutFor(caller) || socket.destroyed) {
      this.turnedAway++;
      socket.destroy();
      return;
    }
    const { address, port } = this.#options.target;
    const target = connect(port, address);
    const passage: Passage = { caller, sockets: [socket, target] };
    this.#open.add(passage);
    const { carry = (from: Socket, to: Socket) => void from.pipe(to) } = this.#options;
    for (const [one, other, sender] of [
      [socket, target, caller],
      [target, socket, "target"],
    ] as const) {
      one.setNoDelay(true);
      one.on("error", () => one.destroy());
      one.on("close", () => (other.destroy(), this.#open.delete(passage)));
      carry(one, other, sender);
    }
  }
}
