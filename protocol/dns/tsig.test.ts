import { deepEqual, equal, notDeepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../ids.ts";
import { parseDnsName } from "./dns-name.ts";
import { algorithmOf, findTsig, TSIG_ERROR, type PlacedTsig } from "./tsig.ts";
import {
  TsigSigner,
  verifyTsig,
  verifyTsigAnswer,
  withTsigError,
  type TsigKey,
} from "./tsig-mac.ts";

const SIGNED_AT = 1_700_000_000;
const SECRET = Uint8Array.from({ length: 32 }, (_, index) => index);
const key: TsigKey = {
  name: parseDnsName("friend.key"),
  algorithm: "hmac-sha256",
  secret: SECRET,
};

/** A question and its answer, signed one second later, by dnspython 2.3.0. */
const QUESTION = "123400000001000000000000044d657368076578616d706c650000060001";
const BY_OTHERS = {
  "hmac-sha1":
    "06467269656e64034b65790000fa00ff00000000002f09686d61632d736861310000006553f100012c00148a78c6ee3cbd7ba0439b81b67c8e5e79fc7b828a123400000000",
  "hmac-sha256":
    "06467269656e64034b65790000fa00ff00000000003d0b686d61632d7368613235360000006553f100012c00202b402659cc1d7e3b9585886d9202fd6f19e4d03652662d0ce5eabefbc286e1fc123400000000",
  "hmac-sha384":
    "06467269656e64034b65790000fa00ff00000000004d0b686d61632d7368613338340000006553f100012c0030e4a5c505c5d38036bb6cc8b575ca8ad931ba9c28b368418e8855de5d4ed0a7cb7aaff705d5f513fb57adbe75182a0330123400000000",
  "hmac-sha512":
    "06467269656e64034b65790000fa00ff00000000005d0b686d61632d7368613531320000006553f100012c00407035f43a698e6062fb9cb1abe09a0d8a88109b30b86658650ceb2701a3c76232f89d48d8c650d6d0c0f87b19111da0927764590b561ebe0e415970f75f2e31ac123400000000",
} as const;
const ANSWER_MAC = "585e43dcf270a41d3fd18da31511ccdd16f945dbbfaf1019b9ccd8feabc97c81";

/** The question with one more record at its end. */
function signedByOthers(record: string): Uint8Array {
  const bytes = Buffer.from(QUESTION + record, "hex");
  bytes[11] = 1;
  return Uint8Array.from(bytes);
}

function placed(message: Uint8Array): PlacedTsig {
  const found = findTsig(message);
  ok(typeof found !== "string", "no signature found");
  return found;
}

for (const [algorithm, record] of Object.entries(BY_OTHERS)) {
  test(`${algorithm}: what others signed is verified, and signed the same`, () => {
    const own = { ...key, algorithm: algorithm as keyof typeof BY_OTHERS };
    const message = signedByOthers(record);
    equal(verifyTsig(message, placed(message), own, SIGNED_AT), "ok");
    const signer = new TsigSigner(own, undefined, () => SIGNED_AT);
    const again = signer.sign(fromHex(QUESTION));
    equal(again.length, fromHex(QUESTION).length + signer.sizeBytes);
    deepEqual(placed(again).mac, placed(message).mac);
  });
}

test("an answer is bound to the question, by both sides' view of it", () => {
  const asked = placed(signedByOthers(BY_OTHERS["hmac-sha256"]));
  const answer = Buffer.from(QUESTION, "hex");
  answer[2] = 0x80;
  const signed = new TsigSigner(key, asked.mac, () => SIGNED_AT + 1).sign(answer);
  equal(toHex(placed(signed).mac), ANSWER_MAC);
  const judge = (mac: Uint8Array) => verifyTsigAnswer(signed, placed(signed), key, mac, SIGNED_AT);
  equal(judge(asked.mac), "ok");
  equal(judge(Uint8Array.from(asked.mac).fill(0)), "BADSIG");
});

test("every changed byte of what is signed is noticed", () => {
  const message = signedByOthers(BY_OTHERS["hmac-sha256"]);
  const { start } = placed(message);
  for (let at = 2; at < start; at++) {
    const wrong = Uint8Array.from(message);
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    const found = findTsig(wrong);
    // Changed counts and lengths make it unreadable; letters of another case are the same name.
    if (typeof found === "string") continue;
    equal(verifyTsig(wrong, found, key, SIGNED_AT), "BADSIG", `byte ${at}`);
  }
});

test("the id may be changed on the way, as forwarders do", () => {
  const message = signedByOthers(BY_OTHERS["hmac-sha256"]);
  message[0] = 0x55;
  equal(verifyTsig(message, placed(message), key, SIGNED_AT), "ok");
});

test("old and early signatures are told from wrong ones, up to the fudge on both sides", () => {
  const message = signedByOthers(BY_OTHERS["hmac-sha256"]);
  const at = (seconds: number) => verifyTsig(message, placed(message), key, SIGNED_AT + seconds);
  deepEqual([-301, -300, 300, 301].map(at), ["BADTIME", "ok", "ok", "BADTIME"]);
  const other = { ...key, secret: Uint8Array.from(SECRET).fill(9) };
  equal(verifyTsig(message, placed(message), other, SIGNED_AT + 999), "BADSIG");
});

test("a shortened MAC: sound from half on, good enough from 16 bytes on", () => {
  const message = signedByOthers(BY_OTHERS["hmac-sha1"]);
  const sha1 = { ...key, algorithm: "hmac-sha1" } as const;
  const tsig = placed(message);
  const judge = (bytes: number) =>
    verifyTsig(message, { ...tsig, mac: tsig.mac.subarray(0, bytes) }, sha1, SIGNED_AT);
  deepEqual([0, 9, 10, 15, 16, 20].map(judge), [
    "malformed",
    "malformed",
    "BADTRUNC",
    "BADTRUNC",
    "ok",
    "ok",
  ]);
  const long = { ...tsig, mac: new Uint8Array(21) };
  equal(verifyTsig(message, long, sha1, SIGNED_AT), "malformed");
});

test("BADTIME is signed over the time of the question and tells ours", () => {
  const asked = placed(signedByOthers(BY_OTHERS["hmac-sha256"]));
  const signer = new TsigSigner(key, asked.mac, () => SIGNED_AT + 4000);
  const answer = signer.signError(fromHex(QUESTION), asked, "BADTIME");
  const tsig = placed(answer);
  equal(tsig.error, TSIG_ERROR.BADTIME);
  equal(tsig.timeSeconds, SIGNED_AT);
  equal(Buffer.from(tsig.other).readUIntBE(0, 6), SIGNED_AT + 4000);
  equal(verifyTsigAnswer(answer, tsig, key, asked.mac, SIGNED_AT), "ok");
});

test("a refused key or MAC is answered without a MAC", () => {
  const asked = placed(signedByOthers(BY_OTHERS["hmac-sha256"]));
  const tsig = placed(withTsigError(fromHex(QUESTION), asked, "BADKEY"));
  deepEqual([tsig.error, tsig.mac.length], [TSIG_ERROR.BADKEY, 0]);
});

test("messages of a stream are a chain: none can be left out or swapped", () => {
  const asked = placed(signedByOthers(BY_OTHERS["hmac-sha256"]));
  const signer = new TsigSigner(key, asked.mac, () => SIGNED_AT);
  const macs = [1, 2, 3].map(() => placed(signer.sign(fromHex(QUESTION))).mac);
  notDeepEqual(macs[0], macs[1]);
  notDeepEqual(macs[1], macs[2]);
});

test("a signature in another place, twice, or cut short is malformed", () => {
  const record = BY_OTHERS["hmac-sha256"];
  equal(findTsig(fromHex(QUESTION)), "none");
  const twice = signedByOthers(record + record);
  twice[11] = 2;
  const early = signedByOthers(record);
  early[11] = 0;
  early[9] = 1;
  const behind = signedByOthers(`${record}00`);
  const short = signedByOthers(record.slice(0, -2));
  const classIn = signedByOthers(record.replace("fa00ff", "fa0001"));
  for (const message of [twice, early, behind, short, classIn]) {
    equal(findTsig(message), "malformed");
  }
});

test("names of algorithms are read in any case; MD5 is none of ours", () => {
  equal(algorithmOf(parseDnsName("HMAC-SHA512")), "hmac-sha512");
  equal(algorithmOf(parseDnsName("hmac-md5.sig-alg.reg.int")), undefined);
});
