/**
 * How commands end: one table of exit codes, one way to print an error.
 *
 * 0 done, 1 failed, 2 usage, 3 partly done (with a list), 4 daemon unreachable,
 * 5 refused or needs approvals, 130 interrupted.
 */
import { CommanderError } from "commander";
import { PleachError, type ExitCode } from "../../../protocol/error.ts";

export type ProcessExit = 0 | ExitCode | 130;

/** A command was called in a way that it does not understand: exit code 2. */
export class UsageError extends PleachError<"E-USAGE"> {
  constructor(message: string, hint?: string) {
    super("E-USAGE", message, hint === undefined ? { exit: 2 } : { exit: 2, hint });
  }
}

/** An act of a command that failed for a reason no other folder has a name for. */
export class CommandError extends PleachError<
  | "E-CONFIRM" // a dangerous act was not confirmed
  | "E-FILE" // a file given to a command cannot be read or written
  | "E-UNKNOWN" // there is nothing of this name
  | "E-TIMEOUT" // what was waited for did not come about
  | "E-DNS-ASK" // a DNS server gave no usable answer
  | "E-DNS-FILE" // a zone file has mistakes
  | "E-DNS-CONFLICT" // a zone file contradicts the zone that it is imported into
  | "E-DNS-INTEGRATE" // nothing could be made to ask this node as it is configured
  | "E-APPLICATION" // an application is not what it should be
  | "E-JOIN" // an application was declined or cannot succeed any more
  | "E-MESH-MEMBER" // this node is in a mesh already
  | "E-MESH-NONE" // this node is in no mesh yet
  | "E-DECISION" // a decision cannot be made, or would have no effect
  | "E-OPERATOR" // the key is not that of an operator
  | "E-OWNER" // the phrase is not that of an owner of this mesh
> {}

/** The shape of every error on the socket and with `--json`. */
export interface ErrorReport {
  readonly schemaVersion: 1;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly changed: string;
    readonly hint: string | null;
    /** Each of several mistakes; absent when there is one only. */
    readonly details?: readonly string[];
    readonly exit: ExitCode;
  };
}

/** Describes any thrown thing; one that is not a {@link PleachError} is a bug and says so. */
export function reportOf(thrown: unknown): ErrorReport {
  if (thrown instanceof PleachError) {
    const { code, message, changed, hint, exit, details } = thrown;
    const list = details.length === 0 ? {} : { details };
    return {
      schemaVersion: 1,
      error: { code, message, changed, hint: hint ?? null, ...list, exit },
    };
  }
  if (thrown instanceof CommanderError) {
    const message = thrown.message.replace(/^error: /, "");
    const hint = "pleach --help lists the commands; every command has --help.";
    return {
      schemaVersion: 1,
      error: { code: "E-USAGE", message, changed: "Nothing was changed.", hint, exit: 2 },
    };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return {
    schemaVersion: 1,
    error: {
      code: "E-BUG",
      message: `This is a fault of pleach itself: ${message}`,
      changed: "It is not known what was changed.",
      hint: "Run the command again with PLEACH_DEBUG=1 to see where, and report it.",
      exit: 1,
    },
  };
}
