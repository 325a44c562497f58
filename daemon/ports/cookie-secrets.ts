/**
 * The secrets of DNS cookies: the same on every node of a mesh, unknown outside of it.
 *
 * Made of what members alone hold: the bytes of the first statement and the id of the epoch, so that
 * a new epoch, which may have expelled somebody, makes a new secret. The one before stays
 * good for as long as a cookie is (RFC 9018 section 5).
 */
import { isGenesis } from "../../protocol/statements/statement.ts";
import { COOKIE_SECRET_BYTES } from "../../protocol/dns/server-cookie.ts";
import { sha256, toHex } from "../../protocol/ids.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { Clock } from "../core/clock.ts";
import type { SignedStatement } from "../../protocol/statements/statement.ts";

const SECRET_DOMAIN = "pleach/dns-cookie/1\0";

interface Members {
  authority(): Authority;
  statements(): readonly SignedStatement[];
}

/** Gives the secrets as they are now, the one for new cookies first. */
export function cookieSecretsOf(state: Members, clock: Clock): () => readonly Uint8Array[] {
  // Before there is a mesh, cookies are this node's own.
  const own = clock.random(COOKIE_SECRET_BYTES);
  let secrets: readonly Uint8Array[] = [own];
  return () => {
    const now = secretOf(state) ?? own;
    const [last] = secrets;
    if (last === undefined || toHex(last) !== toHex(now)) {
      secrets = last === undefined ? [now] : [now, last];
    }
    return secrets;
  };
}

function secretOf(state: Members): Uint8Array | undefined {
  const genesis = state.statements().find(({ body }) => isGenesis(body));
  if (genesis === undefined) return undefined;
  const epoch = state.authority().epoch.ids.join("\n");
  return sha256(SECRET_DOMAIN, genesis.bytes, epoch).subarray(0, COOKIE_SECRET_BYTES);
}
