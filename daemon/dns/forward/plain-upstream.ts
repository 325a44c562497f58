/**
 * An upstream over UDP, and over TCP when an answer is long or looks forged.
 *
 * A forger has to guess the id, the port and the case of each letter of the name, all new for each
 * packet. An upstream that does not repeat the case is believed only after it has answered over
 * TCP, where nobody can put in a word, and then asked in lower case.
 *
 * Source: RFC 5452, RFC 7766 section 5, draft-vixie-dnsext-dns0x20.
 */
import { createSocket, type Socket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import type { Clock } from "../../core/clock.ts";
import type { Asked } from "../../core/forward/resolution.ts";
import { matchReply, writeUpstreamQuery } from "../../core/forward/upstream-query.ts";
import { MessageStream } from "./message-stream.ts";
import { readAttempt } from "./tls-upstream.ts";
import type { Attempt, Upstream, UpstreamPlace } from "./upstream.ts";

/** When a packet that may be lost is sent again, with another id and port. */
const RETRIES_MS = [800, 2000] as const;
/** Packets that answer another question than the one that was asked: somebody guesses. */
const MAX_STRANGE = 8;
/** A bit for each byte of a name. */
const LETTER_BYTES = 32;

type Heard =
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  /** It may be forged, or cut off: to be asked by TCP. */
  | { readonly kind: "doubt" }
  | { readonly kind: "silent"; readonly reason: string };

export class PlainUpstream implements Upstream {
  readonly place: UpstreamPlace;
  readonly #clock: Clock;
  readonly #stream: MessageStream;
  readonly #trusted: boolean;
  #keepsCase = true;

  constructor(place: UpstreamPlace, clock: Clock) {
    this.place = place;
    this.#clock = clock;
    const { address: host, port } = place;
    const open = () => connect({ host, port });
    this.#stream = new MessageStream({ connect: open, readyEvent: "connect", clock });
    // Nobody else sends from an address of this machine.
    this.#trusted = host === "::1" || host.startsWith("127.");
  }

  async ask(asked: Asked, timeoutMs: number): Promise<Attempt> {
    const endMs = this.#clock.monotonicMs() + timeoutMs;
    const heard = await this.#askUdp(asked, timeoutMs);
    if (heard.kind === "message") return readAttempt(heard.bytes, asked, this.#trusted);
    if (heard.kind === "silent") return heard;
    return await this.#askTcp(asked, Math.max(1, endMs - this.#clock.monotonicMs()));
  }

  #letters(): Uint8Array | undefined {
    return this.#keepsCase ? this.#clock.random(LETTER_BYTES) : undefined;
  }

  async #askTcp(asked: Asked, timeoutMs: number): Promise<Attempt> {
    const letters = this.#letters();
    let query = new Uint8Array();
    const answer = await this.#stream.ask((id) => {
      query = Uint8Array.from(writeUpstreamQuery({ id, asked, letters, padded: false }));
      return query;
    }, timeoutMs);
    if (answer.kind === "silent") return answer;
    if (matchReply(query, answer.bytes) === "respelled") this.#keepsCase = false;
    return readAttempt(answer.bytes, asked, this.#trusted);
  }

  /** Sends the question, and again when nothing comes; an answer to any of these counts. */
  #askUdp(asked: Asked, timeoutMs: number): Promise<Heard> {
    return new Promise((resolve) => {
      const sockets: Socket[] = [];
      const cancels: (() => void)[] = [];
      const finish = (heard: Heard): void => {
        for (const cancel of cancels.splice(0)) cancel();
        for (const socket of sockets.splice(0)) socket.close();
        resolve(heard);
      };
      const end = (): void => finish({ kind: "silent", reason: "no answer in time" });
      cancels.push(this.#clock.after(timeoutMs, end));
      for (const delayMs of RETRIES_MS) {
        if (delayMs >= timeoutMs) continue;
        const send = (): void => void sockets.push(this.#send(asked, finish));
        cancels.push(this.#clock.after(delayMs, send));
      }
      sockets.push(this.#send(asked, finish));
    });
  }

  #send(asked: Asked, finish: (heard: Heard) => void): Socket {
    const { address, port } = this.place;
    const [high = 0, low = 0] = this.#clock.random(2);
    const id = high * 256 + low;
    const query = writeUpstreamQuery({ id, asked, letters: this.#letters(), padded: false });
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    const failed = ({ code, message }: NodeJS.ErrnoException): void => {
      finish({ kind: "silent", reason: code ?? message });
    };
    let strange = 0;
    socket.unref();
    socket.on("error", failed);
    socket.on("message", (bytes) => {
      const match = matchReply(query, bytes);
      if (match === "other") {
        strange += 1;
        if (strange >= MAX_STRANGE) finish({ kind: "doubt" });
      } else if (match === "respelled" || ((bytes[2] ?? 0) & 0x02) !== 0) {
        finish({ kind: "doubt" });
      } else finish({ kind: "message", bytes: Uint8Array.from(bytes) });
    });
    let isClosed = false;
    socket.once("close", () => (isClosed = true));
    // Connected, the socket hears this server only; its port is a new one that the system draws.
    socket.connect(port, address, (error?: Error) => {
      if (isClosed) return;
      if (error !== undefined) failed(error);
      else socket.send(query, (failure) => (failure === null ? undefined : failed(failure)));
    });
    return socket;
  }

  close(): void {
    this.#stream.close();
  }
}
