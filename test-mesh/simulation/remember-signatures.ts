/**
 * Verifies each signature once in a process. The sites of a simulated mesh run side by side and start
 * again and again, each verifying what the others have: a third of the time of a run. Verification
 * is a pure function, so nothing that a site does depends on this.
 */
import crypto, { type KeyObject } from "node:crypto";
import { syncBuiltinESMExports } from "node:module";

const MAX_REMEMBERED = 200_000;

export function rememberSignatures(): void {
  const { verify } = crypto;
  let known = new WeakMap<KeyObject, Map<string, boolean>>();
  let count = 0;
  const remembering = (
    algorithm: string | null,
    message: Uint8Array,
    key: KeyObject,
    signature: Uint8Array,
  ): boolean => {
    const ofKey = known.get(key) ?? new Map<string, boolean>();
    known.set(key, ofKey);
    const name = crypto.hash("sha256", Buffer.concat([signature, message]), "base64");
    const before = ofKey.get(name);
    if (before !== undefined) return before;
    const result = verify(algorithm, message, key, signature);
    ofKey.set(name, result);
    count += 1;
    if (count > MAX_REMEMBERED) {
      known = new WeakMap();
      count = 0;
    }
    return result;
  };
  crypto.verify = remembering as typeof crypto.verify;
  syncBuiltinESMExports();
}
