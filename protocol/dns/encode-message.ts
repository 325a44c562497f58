/** Writes a whole message, names compressed where RFC 3597 section 4 allows it. */
import { flagBytes, HEADER_BYTES, MAX_MESSAGE_BYTES, type DnsMessage } from "./message.ts";
import { MessageWriter } from "./message-writer.ts";

/**
 * @param maxBytes - At most 65,535, which is the default.
 * @returns Undefined when it does not fit.
 */
export function encodeMessage(
  message: DnsMessage,
  maxBytes = MAX_MESSAGE_BYTES,
): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.min(maxBytes, MAX_MESSAGE_BYTES));
  if (bytes.length < HEADER_BYTES) return undefined;
  const writer = new MessageWriter(bytes);
  const { id, questions, answers, authorities, additionals } = message;
  const counts = [questions, answers, authorities, additionals].map(({ length }) => length);
  const head = Uint8Array.of(
    ...[id >> 8, id & 255, ...flagBytes(message)],
    ...counts.flatMap((count) => [count >> 8, count & 255]),
  );
  writer.reset(bytes.length, head);
  for (const question of questions) {
    if (!writer.writeQuestion(question.name, question.type, question.class)) return undefined;
  }
  for (const record of [...answers, ...authorities, ...additionals]) {
    if (!writer.writeRecord(record)) return undefined;
  }
  return bytes.slice(0, writer.size);
}
