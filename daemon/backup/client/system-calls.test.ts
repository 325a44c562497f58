import assert from "node:assert/strict";
import { constants } from "node:os";
import { it } from "node:test";
import { isUnsupported, SystemError } from "./system-calls.ts";

it("knows a file system without attributes, by whichever name the number has", () => {
  assert.ok(isUnsupported(new SystemError("llistxattr", constants.errno.ENOTSUP)));
  assert.ok(isUnsupported(new SystemError("llistxattr", constants.errno.EOPNOTSUPP)));
  assert.ok(!isUnsupported(new SystemError("llistxattr", constants.errno.EACCES)));
});
