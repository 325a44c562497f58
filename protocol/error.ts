/**
 * The base of every error that is thrown on purpose.
 *
 * An error tells a person four things: what, why, what changed (usually nothing), and what to do
 * next. A peer is told the code only. Each folder has one subclass whose codes are a closed union.
 */

/** How a command ends because of this error; see the table of exit codes in the documentation. */
export type ExitCode = 1 | 2 | 3 | 4 | 5;

export interface ErrorFacts {
  /** What the failed act changed, as a sentence. Default: "Nothing was changed." */
  readonly changed?: string;
  /** What to do next, as a sentence or a command. */
  readonly hint?: string;
  /** Each of several mistakes, as a line of its own. Default: none. */
  readonly details?: readonly string[];
  /** Exit code of the command that meets the error. Default: 1. */
  readonly exit?: ExitCode;
  readonly cause?: unknown;
}

export abstract class PleachError<Code extends string = string> extends Error {
  /** Stable and documented, for example `E-DNS-VALUE`. */
  readonly code: Code;
  readonly changed: string;
  readonly hint: string | undefined;
  readonly details: readonly string[];
  readonly exit: ExitCode;

  constructor(code: Code, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = new.target.name;
    this.code = code;
    this.changed = facts.changed ?? "Nothing was changed.";
    this.hint = facts.hint;
    this.details = facts.details ?? [];
    this.exit = facts.exit ?? 1;
  }
}
