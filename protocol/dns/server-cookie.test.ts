import { deepEqual, equal } from "node:assert/strict";
import { describe, it } from "node:test";
import { fromHex, toHex } from "../ids.ts";
import { parseIpv4, parseIpv6 } from "../ip-address.ts";
import { checkCookie, makeServerCookie } from "./server-cookie.ts";
import { sipHash24 } from "./sip-hash.ts";

function address(text: string): Uint8Array {
  const parsed = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  if ("reason" in parsed) throw new Error(parsed.reason);
  return parsed.bytes;
}

describe("SipHash-2-4", () => {
  it("gives the hashes of its paper and of the authors' vectors", () => {
    const key = Uint8Array.from({ length: 16 }, (_, index) => index);
    const hashOf = (size: number) =>
      toHex(
        sipHash24(
          key,
          Uint8Array.from({ length: size }, (_, index) => index),
        ),
      );
    // Appendix A of the paper: a129ca6149be45e5 as a number.
    equal(hashOf(15), "e545be4961ca29a1");
    // vectors_sip64 of the reference implementation.
    equal(hashOf(0), "310e0edd47db6f72");
    equal(hashOf(1), "fd67dc93c539f874");
    equal(hashOf(7), "37d1018bf50002ab");
    equal(hashOf(8), "6224939a79f5f593");
    equal(hashOf(63), "724506eb4c328a95");
  });
});

describe("a server cookie", () => {
  const secret = fromHex("e5e973e5a6b2a43f48e7dc849e37bfcf");
  const client = fromHex("2464c4abcf10c957");
  const from = address("198.51.100.100");
  const madeAt = 0x5cf79f11;

  it("is the one of RFC 9018 appendix A", () => {
    equal(
      toHex(makeServerCookie(secret, client, from, madeAt)),
      "010000005cf79f111f8130c3eee29480",
    );
    equal(
      toHex(makeServerCookie(secret, client, from, 0x5cf7a871)),
      "010000005cf7a871d4a564a1442aca77",
    );
    const six = makeServerCookie(
      fromHex("445536bcd2513298075a5d379663c962"),
      fromHex("22681ab97d52c298"),
      address("2001:db8:220:1:59de:d0f4:8769:82b8"),
      0x5cf7c609,
    );
    equal(toHex(six), "010000005cf7c609a6bb79d16625507a");
    // Made under the secret before, which is still known.
    equal(
      checkCookie(
        [fromHex("445536bcd2513298075a5d379663c962"), fromHex("dd3bdf9344b678b185a6f5cb60fca715")],
        fromHex("22681ab97d52c298010000005cf7c57926556bd0934c72f8"),
        address("2001:db8:220:1:59de:d0f4:8769:82b8"),
        0x5cf7c609,
      ),
      "old",
    );
  });

  it("is good for its asker, for an hour, under each secret in use", () => {
    const cookie = Uint8Array.of(...client, ...makeServerCookie(secret, client, from, madeAt));
    const check = (seconds: number, secrets = [secret], asker = from) =>
      checkCookie(secrets, cookie, asker, madeAt + seconds);
    deepEqual(
      [-301, -300, 0, 1800, 1801, 3600, 3601].map((seconds) => check(seconds)),
      ["none", "good", "good", "good", "old", "old", "none"],
    );
    const other = fromHex("00".repeat(16));
    equal(check(0, [other, secret]), "old");
    equal(check(0, [other]), "none");
    equal(check(0, [secret], address("198.51.100.101")), "none");
    equal(checkCookie([secret], client, from, madeAt), "none");
    for (let at = 0; at < cookie.length; at++) {
      // The reserved bytes are part of what is hashed.
      const changed = cookie.map((byte, index) => (index === at ? byte ^ 1 : byte));
      equal(checkCookie([secret], changed, from, madeAt), "none", `byte ${at}`);
    }
  });

  it("is good across the end of the 32-bit time", () => {
    const cookie = Uint8Array.of(...client, ...makeServerCookie(secret, client, from, 2 ** 32 - 5));
    equal(checkCookie([secret], cookie, from, 2 ** 32 + 5), "good");
  });
});
