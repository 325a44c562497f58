/**
 * An upstream over TLS: nobody on the way reads or changes what is asked, and its name is checked.
 *
 * Source: RFC 7858, RFC 8310 section 8.1 (authentication by name), RFC 8467 (padding).
 */
import { isIP } from "node:net";
import { checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { decodeMessage, outlineMessage } from "../../../protocol/dns/decode-message.ts";
import type { Clock } from "../../core/clock.ts";
import type { Asked } from "../../core/forward/resolution.ts";
import { writeUpstreamQuery } from "../../core/forward/upstream-query.ts";
import { readReply } from "../../core/forward/upstream-reply.ts";
import { MessageStream } from "./message-stream.ts";
import type { Attempt, Upstream, UpstreamPlace } from "./upstream.ts";

/** A message of records without data has 5,957; answers that somebody means have some dozens. */
const MAX_RECORDS = 1024;

export interface TlsOptions {
  readonly clock: Clock;
  /** Certificates to trust, as PEM; undefined: those that Node brings along. */
  readonly authorities: string | undefined;
}

export class TlsUpstream implements Upstream {
  readonly place: UpstreamPlace;
  readonly #stream: MessageStream;
  /** Of the last connection: the next one needs no certificates, and one round trip less. */
  #session: Buffer | undefined;

  constructor(place: UpstreamPlace, { clock, authorities }: TlsOptions) {
    this.place = place;
    const open = (): TLSSocket => {
      const { address: host, port, name = "" } = place;
      const socket = connect({
        ...{ host, port, session: this.#session, ALPNProtocols: ["dot"], minVersion: "TLSv1.2" },
        // RFC 6066 section 3: an address is no name to ask a server for.
        servername: isIP(name) > 0 ? "" : name,
        checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
        ...(authorities === undefined ? {} : { ca: authorities }),
      });
      socket.on("session", (session: Buffer) => (this.#session = session));
      return socket;
    };
    this.#stream = new MessageStream({ connect: open, readyEvent: "secureConnect", clock });
  }

  async ask(asked: Asked, timeoutMs: number): Promise<Attempt> {
    const write = (id: number): Uint8Array =>
      writeUpstreamQuery({ id, asked, letters: undefined, padded: true });
    const answer = await this.#stream.ask(write, timeoutMs);
    if (answer.kind === "silent") {
      // What was kept of an earlier connection may be what this one failed of.
      this.#session = undefined;
      return answer;
    }
    return readAttempt(answer.bytes, asked, true);
  }

  close(): void {
    this.#stream.close();
  }
}

/** @param bytes - Compared with the query; nothing else is known of them. */
export function readAttempt(bytes: Uint8Array, asked: Asked, trusted: boolean): Attempt {
  const outline = outlineMessage(bytes);
  if ("fault" in outline || outline.records.length > MAX_RECORDS) return UNREADABLE;
  const message = decodeMessage(bytes);
  if ("fault" in message) return UNREADABLE;
  return { kind: "answered", reply: readReply(message, asked, trusted) };
}

const UNREADABLE: Attempt = { kind: "silent", reason: "its answers are not DNS messages" };
