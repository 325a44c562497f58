/**
 * Closes a run of node:test with each failure in full and one line that counts.
 *
 * A run in which no test was executed is a failure: it says nothing about the code.
 */
import type { TestEvent } from "node:test/reporters";

export default async function* summary(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of source) {
    if (type === "test:pass" && data.details.type !== "suite") {
      if (data.skip === undefined && data.todo === undefined) count.passed += 1;
      else {
        count.skipped += 1;
        yield `\nskipped: ${data.name} (${data.file ?? ""})\n`;
      }
    }
    if (type === "test:fail") {
      if (data.details.type !== "suite") count.failed += 1;
      const cause: unknown = data.details.error.cause ?? data.details.error;
      const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      yield `\nFAIL ${data.name} (${data.file ?? ""}:${data.line ?? 0})\n${text}\n`;
    }
    if (type === "test:diagnostic" && data.message.startsWith("figure ")) {
      yield `\n${data.message}\n`;
    }
    if (type === "test:stderr" || type === "test:stdout") yield data.message;
  }
  if (count.passed + count.failed === 0) {
    process.exitCode = 1;
    yield "\nno test was executed\n";
  }
  yield `\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`;
}
