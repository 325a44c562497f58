import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "commander";
import { COMMANDS } from "../commands.ts";
import { CliContext } from "./context.ts";
import { Output } from "./output.ts";
import { helpOf, runProgram } from "./program.ts";

const context = new CliContext(
  { json: false, yes: false, configFile: "/nowhere" },
  new Output(false, { stdout: () => {}, stderr: () => {}, terminal: false, color: false }),
);

function* withInner(command: Command): Generator<Command> {
  yield command;
  for (const inner of command.commands) yield* withInner(inner);
}

for (const { name, summary, load } of COMMANDS) {
  test(`${name}: every help begins with examples and fits 80 columns`, async () => {
    assert.notEqual(summary, "");
    for (const command of withInner((await load())(context))) {
      const text = helpOf(command);
      assert.match(text, /^Examples:\n {2}\S/, command.name());
      for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
    }
  });
}

for (const given of [
  ["--config", "/nowhere/first", "status", "--config", "/nowhere/last"],
  ["--config=/nowhere/first", "--config", "/nowhere/last", "status"],
  ["--config", "/nowhere/first", "--config=/nowhere/last", "status"],
]) {
  test(`the last configuration counts: ${given.join(" ")}`, async ({ mock }) => {
    let said = "";
    mock.method(process.stderr, "write", (text: string) => (said += text));
    assert.notEqual(await runProgram(given), 0);
    assert.match(said, /\/nowhere\/last/);
    assert.doesNotMatch(said, /first/);
  });
}
