/**
 * Functions of OpenSSL and zstd that Node has inside and exports, called without an object and a
 * copy for each call.
 *
 * `node:crypto` and `node:zlib` make an object for each hash and a context for each frame: for a
 * file of 4 KiB the HMAC then takes 20 us instead of 5, and a frame of 2 MiB is decompressed in
 * 2.5 ms instead of 1.8. A Node without these symbols is served by what `node:` has, with the same
 * bytes.
 *
 * Every pointer argument is a Uint8Array that the caller keeps; the callee never keeps one.
 */
import { createRequire } from "node:module";

export type OwnFunction = (...args: readonly unknown[]) => unknown;

interface Koffi {
  load(library: null): { func(definition: string): OwnFunction };
}

/** Loaded as CommonJS: the module has no types that fit ES modules. */
const koffi = createRequire(import.meta.url)("koffi") as Koffi;
const own = koffi.load(null);

/** The functions of these C definitions, or undefined when one of them is not there. */
export function ownFunctions<Name extends string>(
  definitions: Readonly<Record<Name, string>>,
): Readonly<Record<Name, OwnFunction>> | undefined {
  try {
    const found = Object.entries<string>(definitions).map(([name, definition]) => {
      return [name, own.func(definition)] as const;
    });
    return Object.fromEntries(found) as Record<Name, OwnFunction>;
  } catch {
    return undefined;
  }
}
