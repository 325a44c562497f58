/** The version of this program, from the package it is part of. */
import { readFileSync } from "node:fs";

/** For example `0.1.0`. */
export const PLEACH_VERSION: string = readVersion();

function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { readonly version?: unknown };
  if (typeof version !== "string") throw new TypeError("package.json has no version");
  return version;
}
