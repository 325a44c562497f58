/**
 * DNS cookies: proof that an asker receives what is sent to its address.
 *
 * Servers that share a secret take one another's cookies, so a name with many servers costs an
 * asker one round trip in all.
 *
 * Source: RFC 7873, RFC 9018 section 4.
 */
import { sipHash24 } from "./sip-hash.ts";

/** RFC 7873 section 4. */
export const CLIENT_COOKIE_BYTES = 8;
/** RFC 9018 section 4: version, three reserved bytes, time, hash. */
export const SERVER_COOKIE_BYTES = 16;
/** RFC 7873 section 4: with a server's part of 8 to 32 bytes. */
export const MAX_COOKIE_BYTES = 40;

export const COOKIE_SECRET_BYTES = 16;

/** RFC 9018 section 4.3: "within the past 1 hour and within the next 5 minutes". */
const MAX_AGE_SECONDS = 3600;
const MAX_AHEAD_SECONDS = 300;
/** The same: "should generate a new Server Cookie [...] if [...] more than half an hour" old. */
const RENEW_SECONDS = 1800;

const VERSION = 1;
/** Where the hash begins, which covers all before it. */
const HASH_AT = 8;

/**
 * @param clientCookie - 8 bytes.
 * @param address - Of the asker: 4 or 16 bytes.
 * @param wallSeconds - Since 1970; its low 32 bits count.
 */
export function makeServerCookie(
  secret: Uint8Array,
  clientCookie: Uint8Array,
  address: Uint8Array,
  wallSeconds: number,
): Uint8Array {
  const cookie = new Uint8Array(SERVER_COOKIE_BYTES);
  cookie[0] = VERSION;
  const time = wallSeconds >>> 0;
  for (let byte = 0; byte < 4; byte++) cookie[4 + byte] = (time >>> (24 - 8 * byte)) & 255;
  cookie.set(hashOf(secret, clientCookie, cookie, address), HASH_AT);
  return cookie;
}

function hashOf(
  secret: Uint8Array,
  clientCookie: Uint8Array,
  serverCookie: Uint8Array,
  address: Uint8Array,
): Uint8Array {
  const input = new Uint8Array(CLIENT_COOKIE_BYTES + HASH_AT + address.length);
  input.set(clientCookie);
  input.set(serverCookie.subarray(0, HASH_AT), CLIENT_COOKIE_BYTES);
  input.set(address, CLIENT_COOKIE_BYTES + HASH_AT);
  return sipHash24(secret, input);
}

/**
 * Whether one of our servers gave this cookie to this asker.
 *
 * @param cookie - The whole option: the client's part, and perhaps a server's behind it.
 * @param secrets - Each may have made it: the one in use and its predecessor.
 * @returns "good"; "old": good, and to be replaced; "none" for every other one.
 */
export function checkCookie(
  secrets: readonly Uint8Array[],
  cookie: Uint8Array,
  address: Uint8Array,
  wallSeconds: number,
): "good" | "old" | "none" {
  if (cookie.length !== CLIENT_COOKIE_BYTES + SERVER_COOKIE_BYTES) return "none";
  const client = cookie.subarray(0, CLIENT_COOKIE_BYTES);
  const server = cookie.subarray(CLIENT_COOKIE_BYTES);
  if (server[0] !== VERSION) return "none";
  let time = 0;
  for (let byte = 4; byte < HASH_AT; byte++) time = (time << 8) | (server[byte] ?? 0);
  // RFC 9018 section 4.3: times are compared by RFC 1982.
  const age = ((wallSeconds >>> 0) - time) | 0;
  if (age > MAX_AGE_SECONDS || age < -MAX_AHEAD_SECONDS) return "none";
  for (const [index, secret] of secrets.entries()) {
    if (!equal(hashOf(secret, client, server, address), server.subarray(HASH_AT))) continue;
    return index === 0 && age <= RENEW_SECONDS ? "good" : "old";
  }
  return "none";
}

/** In a time that does not depend on where they differ. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= (a[at] ?? 0) ^ (b[at] ?? 0);
  return difference === 0;
}
