import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "commander";
import { COMMANDS } from "./commands.ts";
import { CliContext } from "./context.ts";
import { Output } from "./output.ts";
import { helpOf } from "./program.ts";

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
