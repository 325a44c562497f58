/**
 * Structured logs on standard output, one line an event, for journald.
 *
 * A line starts with its syslog priority (`<6>`), which journald takes off again. Secrets,
 * names of backed-up files and sealed bytes never go into facts.
 */
export type LogLevel = "debug" | "info" | "warn" | "error";

export type LogFacts = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Logger {
  debug(message: string, facts?: LogFacts): void;
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  error(message: string, facts?: LogFacts): void;
  /** The same log with a part name before each message. */
  part(name: string): Logger;
}

/** syslog(3) priorities. */
const PRIORITY: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 };
const ORDER: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * @param minimum - Less than this is left out. A function is asked each time.
 * @param write - Takes one line without its end. In the daemon: standard output.
 */
export function createLogger(
  minimum: LogLevel | (() => LogLevel),
  write: (line: string) => void,
  part = "pleach",
): Logger {
  const emit = (level: LogLevel, message: string, facts: LogFacts = {}): void => {
    const least = typeof minimum === "function" ? minimum() : minimum;
    if (ORDER.indexOf(level) < ORDER.indexOf(least)) return;
    const words = Object.entries(facts)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => ` ${name}=${typeof value === "string" ? quote(value) : value}`);
    write(`<${PRIORITY[level]}>${part}: ${message}${words.join("")}`);
  };
  return {
    debug: (message, facts) => emit("debug", message, facts),
    info: (message, facts) => emit("info", message, facts),
    warn: (message, facts) => emit("warn", message, facts),
    error: (message, facts) => emit("error", message, facts),
    part: (name) => createLogger(minimum, write, name),
  };
}

/** One line stays one line, whatever a peer put into a text. */
function quote(text: string): string {
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text);
}

/** A log that nobody reads, for tests. */
export const silentLogger: Logger = createLogger("error", () => {});
