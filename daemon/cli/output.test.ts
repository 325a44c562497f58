import assert from "node:assert/strict";
import { test } from "node:test";
import { PleachError } from "../../protocol/error.ts";
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
