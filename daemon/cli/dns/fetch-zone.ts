/**
 * Fetches a zone from another server by AXFR, signed by TSIG or not.
 *
 * The server is foreign: what it sends is bounded in bytes, records and time, and nothing of it is
 * used before the transfer is whole and its signature is right.
 *
 * Source: RFC 5936 section 2; RFC 8945 section 5.3.1.
 */
import { randomInt } from "node:crypto";
import { connect, type Socket } from "node:net";
import { CLASS, formatRcode, OPCODE } from "../../../protocol/dns/dns-code.ts";
import {
  formatDnsName,
  lowerCase,
  sameName,
  type DnsName,
} from "../../../protocol/dns/dns-name.ts";
import { decodeMessage } from "../../../protocol/dns/decode-message.ts";
import { formatType, isZoneType, TYPE } from "../../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../../protocol/dns/encode-message.ts";
import type { DnsRecord } from "../../../protocol/dns/message.ts";
import { isSoundRdata } from "../../../protocol/dns/rdata.ts";
import { findTsig } from "../../../protocol/dns/tsig.ts";
import { TsigSigner, TsigStream, type TsigKey } from "../../../protocol/dns/tsig-mac.ts";
import type { FileRecord } from "../../../protocol/dns/zone-file.ts";
import { CommandError } from "../shell/exit.ts";
import type { DnsServerAddress } from "./dns-query.ts";

/** Without a byte for so long, the server or the line is gone. */
const IDLE_TIMEOUT_MS = 15_000;
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_RECORDS = 1_000_000;

export interface FetchedZone {
  readonly records: readonly FileRecord[];
  /** Records that only a signer makes, by type. */
  readonly leftOut: ReadonlyMap<string, number>;
}

/** @throws CommandError (E-DNS-ASK) when the server refuses, or what it sends is no whole zone. */
export async function fetchZone(
  server: DnsServerAddress,
  zone: DnsName,
  key: TsigKey | undefined,
): Promise<FetchedZone> {
  const place = server.address.includes(":")
    ? `[${server.address}]:${server.port}`
    : `${server.address}:${server.port}`;
  const id = randomInt(65_536);
  const signer = key && new TsigSigner(key, undefined, nowSeconds);
  const question = questionFor(zone, id);
  const signed = signer === undefined ? question : signer.sign(question);
  const check = key && signer && new TsigStream(key, signer.mac);
  const transfer = new Transfer(zone, id, place, check);
  const socket = connect({ host: server.address, port: server.port });
  socket.setTimeout(IDLE_TIMEOUT_MS, () => {
    socket.destroy(transfer.failure(`sent nothing for ${IDLE_TIMEOUT_MS / 1000} s`));
  });
  try {
    socket.write(withLength(signed));
    for await (const message of messagesOf(socket, transfer)) {
      transfer.take(message);
      if (transfer.whole) break;
    }
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw transfer.failure(`cannot be reached (${(error as Error).message})`);
  } finally {
    socket.destroy();
  }
  if (!transfer.whole) throw transfer.failure("broke the transfer off");
  return transfer;
}

/** Messages after their lengths (RFC 1035 section 4.2.2). */
async function* messagesOf(socket: Socket, transfer: Transfer): AsyncGenerator<Uint8Array> {
  let held: Buffer = Buffer.alloc(0);
  let total = 0;
  for await (const part of socket as AsyncIterable<Buffer>) {
    total += part.length;
    if (total > MAX_BYTES) throw transfer.failure(`sent more than ${MAX_BYTES} bytes`);
    held = Buffer.concat([held, part]);
    for (;;) {
      const size = held.length < 2 ? Infinity : held.readUInt16BE(0);
      if (held.length < size + 2) break;
      yield held.subarray(2, size + 2);
      held = held.subarray(size + 2);
    }
  }
}

class Transfer implements FetchedZone {
  readonly records: FileRecord[] = [];
  readonly leftOut = new Map<string, number>();
  whole = false;
  readonly #zone: DnsName;
  readonly #id: number;
  readonly #place: string;
  readonly #check: TsigStream | undefined;
  #soa: Uint8Array | undefined;
  #ended = false;

  constructor(zone: DnsName, id: number, place: string, check: TsigStream | undefined) {
    this.#zone = zone;
    this.#id = id;
    this.#place = place;
    this.#check = check;
  }

  failure(reason: string): CommandError {
    const zone = formatDnsName(this.#zone);
    return new CommandError("E-DNS-ASK", `${this.#place} ${reason} (AXFR of ${zone}).`, {
      hint: "Does the server allow this address, or this key, to transfer the zone?",
    });
  }

  take(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if ("fault" in message || message.trailingBytes > 0) throw this.failure("sent no DNS message");
    const isAnswer = message.response && message.opcode === OPCODE.QUERY;
    if (!isAnswer || message.id !== this.#id) throw this.failure("sent another message");
    if (message.rcode !== 0) throw this.failure(`answered ${formatRcode(message.rcode)}`);
    for (const record of message.answers) this.#record(record);
    const verdict = this.#check?.check(bytes, findTsig(bytes), nowSeconds()) ?? "ok";
    if (verdict !== "ok" && verdict !== "unsigned") {
      throw this.failure(
        verdict === "BADTIME"
          ? "signed at another time: one of the two clocks is wrong"
          : "sent a message whose signature is not that of the key",
      );
    }
    if (!this.#ended) return;
    if (verdict === "unsigned") throw this.failure("did not sign the end of the zone");
    this.whole = true;
  }

  #record({ owner, type, class: recordClass, ttl, rdata }: DnsRecord): void {
    if (this.#ended) throw this.failure("sent records after the end of the zone");
    if (recordClass !== CLASS.IN) throw this.failure("sent a record of another class");
    if (type === TYPE.SOA) {
      if (!sameName(owner, this.#zone)) throw this.failure("sent the SOA of another zone");
      // RFC 5936 section 2.2: the last record is the first one again.
      if (this.#soa !== undefined) {
        if (Buffer.compare(rdata, this.#soa) !== 0) {
          throw this.failure("changed the zone in the middle of the transfer: try again");
        }
        this.#ended = true;
        return;
      }
      this.#soa = rdata;
    } else if (this.#soa === undefined) throw this.failure("began without the SOA");
    if (!isZoneType(type)) {
      this.leftOut.set(formatType(type), (this.leftOut.get(formatType(type)) ?? 0) + 1);
      return;
    }
    if (!isSoundRdata(type, rdata)) {
      throw this.failure(`sent unsound ${formatType(type)} data for ${formatDnsName(owner)}`);
    }
    if (this.records.length >= MAX_RECORDS) {
      throw this.failure(`sent more than ${MAX_RECORDS} records`);
    }
    // RFC 2181 section 8: a TTL with the highest bit is zero.
    const seconds = ttl < 2 ** 31 ? ttl : 0;
    const line = this.records.length + 1;
    const at = { file: `AXFR from ${this.#place}`, line, column: 1 };
    this.records.push({ owner: lowerCase(owner), type, ttl: seconds, rdata, ...at });
  }
}

function questionFor(zone: DnsName, id: number): Uint8Array {
  const packet = encodeMessage({
    ...{ id, response: false, opcode: OPCODE.QUERY, authoritative: false, truncated: false },
    ...{ recursionDesired: false, recursionAvailable: false, reserved: false },
    ...{ authenticData: false, checkingDisabled: false, rcode: 0 },
    questions: [{ name: zone, type: TYPE.AXFR, class: CLASS.IN }],
    ...{ answers: [], authorities: [], additionals: [] },
  });
  if (packet === undefined) throw new TypeError("a question fits into a message");
  return packet;
}

function withLength(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(message.length + 2);
  framed.writeUInt16BE(message.length);
  framed.set(message, 2);
  return framed;
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
