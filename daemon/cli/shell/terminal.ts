/**
 * Asks a person. Never without a terminal: there a command has to be given what it needs.
 *
 * Questions go to standard error, so that standard output stays the result.
 */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { CommandError, UsageError } from "./exit.ts";

/** Whether a person can be asked. */
export function isInteractive(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/**
 * One line from the terminal, without its end.
 *
 * @param instead - What to give when there is no terminal, for example `--site NAME`.
 * @throws UsageError when there is no terminal.
 */
export async function ask(question: string, instead: string): Promise<string> {
  requireTerminal(question, instead);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}

/** Like {@link ask}, and what is typed is not shown. */
export async function askSecret(question: string, instead: string): Promise<string> {
  requireTerminal(question, instead);
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await lines.question("");
  } finally {
    lines.close();
    process.stderr.write("\n");
  }
}

/**
 * Asks for a yes; `--yes` answers it.
 *
 * @throws CommandError E-CONFIRM when the answer is anything but y or yes.
 */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  const answer = await ask(`${question} [y/N] `, "--yes");
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new CommandError("E-CONFIRM", "It was not confirmed.");
  }
}

/**
 * Asks for a name to be typed, before an act that nothing undoes; `--yes` takes it for typed.
 *
 * @throws CommandError E-CONFIRM when something else is typed.
 */
export async function confirmName(name: string, yes: boolean): Promise<void> {
  if (yes) return;
  const answer = await ask(`Nothing undoes this. Type ${name} to go on: `, "--yes");
  if (answer.trim() !== name) {
    throw new CommandError("E-CONFIRM", `It was not confirmed: ${name} was to be typed.`);
  }
}

function requireTerminal(question: string, instead: string): void {
  if (isInteractive()) return;
  const asked = question.trim().replace(/[?:]$/, "");
  throw new UsageError(`There is no terminal to ask: ${asked}.`, `Give it with ${instead}.`);
}
