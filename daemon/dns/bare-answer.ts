/** An answer that is a code and nothing else, to a request that the responder does not answer. */
import type { MessageOutline } from "../../protocol/dns/decode-message.ts";
import { HEADER_BYTES } from "../../protocol/dns/message.ts";
import { skipMessageName } from "../../protocol/dns/message-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";

/** An OPT record that says nothing but what we receive (RFC 6891 section 6.1.2). */
export const PLAIN_OPT: Uint8Array = Uint8Array.of(0, 0, TYPE.OPT, 4, 208, 0, 0, 0, 0, 0, 0);

/** Whether an answer has to carry an OPT record. */
export function asksEdns({ opt }: MessageOutline): boolean {
  return opt !== undefined;
}

/**
 * @param outline - Of the packet; undefined when it has none, and its header only is answered.
 * @param rcode - 0 to 15.
 */
export function bareAnswer(
  packet: Uint8Array,
  outline: MessageOutline | undefined,
  rcode: number,
  authoritative = false,
): Uint8Array {
  const [start] = outline?.questions ?? [];
  const nameEnd = start === undefined ? undefined : skipMessageName(packet, start);
  const question =
    outline?.questions.length === 1 && start === HEADER_BYTES && nameEnd !== undefined
      ? packet.subarray(start, nameEnd + 4)
      : new Uint8Array();
  const opt = outline !== undefined && asksEdns(outline) ? PLAIN_OPT : new Uint8Array();
  const header = new Uint8Array(HEADER_BYTES);
  header.set(packet.subarray(0, 4));
  // Opcode and RD are copied, AA is ours, TC, RA, Z and AD are not set.
  header[2] = 0x80 | ((header[2] ?? 0) & 0x79) | (authoritative ? 0x04 : 0);
  header[3] = ((header[3] ?? 0) & 0x10) | (rcode & 15);
  header[5] = question.length > 0 ? 1 : 0;
  header[11] = opt.length > 0 ? 1 : 0;
  return Uint8Array.from(Buffer.concat([header, question, opt]));
}
