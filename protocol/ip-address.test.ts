import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatIpv4, parseIpv4 } from "./ip-address.ts";

test("an IPv4 address is read back from its text, and nothing else is one", () => {
  const bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(fc.property(bytes, (each) => deepEqual(parseIpv4(formatIpv4(each)), { bytes: each })));
  const reasons = {
    "": "it has 1 of 4 parts",
    "1.2.3": "it has 3 of 4 parts",
    "1.2.3.4.5": "it has 5 of 4 parts",
    "1.2.3.4.": "it has 5 of 4 parts",
    "1.2..4": "part 3 is empty",
    ".2.3.4": "part 1 is empty",
    "1.2.3.": "part 4 is empty",
    "1.2.3.256": "256 is above 255",
    "1.2.3.99999999999999999999": "99999999999999999999 is above 255",
    "01.2.3.4": "01 starts with a zero",
    "1.2.3.00": "00 starts with a zero",
    "1.2.3.4 ": '"4 " is not a number',
    "1.2.3.-4": '"-4" is not a number',
    "1.2.3.0x4": '"0x4" is not a number',
  };
  for (const [text, reason] of Object.entries(reasons)) {
    const read = parseIpv4(text);
    equal("reason" in read ? read.reason : read.bytes.join(), reason);
  }
});
