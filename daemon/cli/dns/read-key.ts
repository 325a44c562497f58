/** A TSIG key out of a file in BIND's form, which `tsig-keygen`, `pleach dns keys` and others write. */
import { readFileSync } from "node:fs";
import { lowerCase, parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { algorithmOf } from "../../../protocol/dns/tsig.ts";
import type { TsigKey } from "../../../protocol/dns/tsig-mac.ts";
import { CommandError } from "../shell/exit.ts";

/** @throws CommandError (E-FILE) when the file has no key, or one of an algorithm that is not taken. */
export function readKey(file: string): TsigKey {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError("E-FILE", `${file} cannot be read (${reason}).`, { cause });
  }
  const name = /\bkey\s+"?([^\s"{]+)"?\s*\{/.exec(text)?.[1];
  const algorithm = /\balgorithm\s+"?([A-Za-z0-9-]+)"?\s*;/.exec(text)?.[1];
  const secret = /\bsecret\s+"?([A-Za-z0-9+/]+={0,2})"?\s*;/.exec(text)?.[1];
  const known = algorithm === undefined ? undefined : algorithmOf(parseDnsName(algorithm));
  if (name === undefined || secret === undefined || known === undefined) {
    const reason = known === undefined && algorithm !== undefined ? ` (${algorithm})` : "";
    throw new CommandError("E-FILE", `${file} has no key that can be used${reason}.`, {
      hint: 'It looks like: key "NAME" { algorithm hmac-sha256; secret "BASE64"; };',
    });
  }
  return {
    name: lowerCase(parseDnsName(name)),
    algorithm: known,
    secret: Uint8Array.from(Buffer.from(secret, "base64")),
  };
}
