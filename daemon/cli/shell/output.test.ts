import assert from "node:assert/strict";
import { test } from "node:test";
import { PleachError } from "../../../protocol/error.ts";
import { Output } from "./output.ts";

class TestError extends PleachError<"E-TEST"> {}

function printed(journal: boolean, act: (out: Output) => void): string {
  let text = "";
  const stderr = (part: string): void => void (text += part);
  act(new Output(false, { stdout: () => {}, stderr, terminal: false, color: false, journal }));
  return text;
}

test("the journal gets each line of an error and of a warning with its priority", () => {
  const error = new TestError("E-TEST", "No.", { hint: "Ask again." });
  assert.equal(
    printed(true, (out) => out.error(error)),
    "<3>error E-TEST: No.\n<3>Nothing was changed.\n<3>Ask again.\n",
  );
  assert.equal(
    printed(true, (out) => out.warn("late")),
    "<4>warning late\n",
  );
  assert.equal(
    printed(false, (out) => out.warn("late")),
    "warning late\n",
  );
});

test("an error fits 80 columns, keeps long words whole, and sends no escapes to the terminal", () => {
  const path = `/tmp/${"p".repeat(90)}`;
  const message = `${"word ".repeat(20)}${path} \u001b[31mred\u001b[0m\nnext.`;
  const text = printed(false, (out) =>
    out.error(new TestError("E-TEST", message, { hint: "hint ".repeat(30).trim() })),
  );
  assert.ok(!/[^\P{Cc}\n]/u.test(text));
  const lines = text.trimEnd().split("\n");
  assert.ok(
    lines.every((line) => line.length <= 80 || line === path),
    text,
  );
  assert.ok(lines.includes(path));
});
