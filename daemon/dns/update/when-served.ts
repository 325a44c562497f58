/**
 * Waits until other nodes serve a version of a zone, by asking them as anybody else would.
 *
 * That a node holds a record does not say that it answers with it yet; whoever asks for a
 * certificate next looks at the answers.
 */
import type { Clock } from "../../core/clock.ts";
import { isLaterSerial } from "../../core/zones/zone-serial.ts";
import { CLASS, OPCODE } from "../../../protocol/dns/dns-code.ts";
import { decodeMessage } from "../../../protocol/dns/decode-message.ts";
import type { DnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { encodeMessage } from "../../../protocol/dns/encode-message.ts";
import { askUdp, type Server } from "../ask.ts";

/** Between two questions to one server: a change takes about as long to be served. */
const AGAIN_MS = 50;
/** For one answer. */
const ANSWER_MS = 1000;

/** Asks a server for the serial of a zone; undefined when it gives none in time. */
export type AskSerial = (
  server: Server,
  zone: DnsName,
  timeoutMs: number,
) => Promise<number | undefined>;

/**
 * @param servers - One for each other node.
 * @returns The last serial that each gave, undefined for none; at once when all serve this one or a
 *   later one, else when the time is over.
 */
export async function whenServed(
  servers: readonly Server[],
  zone: DnsName,
  serial: number,
  timeoutMs: number,
  clock: Clock,
  ask: AskSerial,
): Promise<readonly (number | undefined)[]> {
  const endMs = clock.monotonicMs() + timeoutMs;
  const waits = servers.map(async (server) => {
    let last: number | undefined;
    for (let leftMs = timeoutMs; leftMs > 0; leftMs = endMs - clock.monotonicMs()) {
      const found = await ask(server, zone, Math.min(leftMs, ANSWER_MS));
      last = found ?? last;
      if (found !== undefined && !isLaterSerial(serial, found)) break;
      await new Promise<void>((resolve) => clock.after(AGAIN_MS, resolve));
    }
    return last;
  });
  return Promise.all(waits);
}

/** The serial that a server gives; undefined when it gives none in time. */
export async function serialAt(
  server: Server,
  zone: DnsName,
  timeoutMs: number,
  clock: Clock,
): Promise<number | undefined> {
  const question = encodeMessage({
    ...{ id: Buffer.from(clock.random(2)).readUInt16BE(), opcode: OPCODE.QUERY, rcode: 0 },
    ...{ response: false, authoritative: false, truncated: false, recursionDesired: false },
    ...{ recursionAvailable: false, reserved: false, authenticData: false },
    checkingDisabled: false,
    questions: [{ name: zone, type: TYPE.SOA, class: CLASS.IN }],
    ...{ answers: [], authorities: [], additionals: [] },
  });
  if (question === undefined) return undefined;
  const bytes = await askUdp(server, question, timeoutMs, clock);
  const message = bytes === undefined ? undefined : decodeMessage(bytes);
  if (message === undefined || "fault" in message) return undefined;
  const soa = message.answers.find(({ type }) => type === TYPE.SOA);
  if (soa === undefined || soa.rdata.length < 22) return undefined;
  return Buffer.from(soa.rdata).readUInt32BE(soa.rdata.length - 20);
}
