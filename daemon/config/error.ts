/** Errors of the configuration; each names the file and, where there is one, the line. */
import { PleachError } from "../../protocol/error.ts";

export class ConfigError extends PleachError<
  | "E-CONFIG-FILE" // cannot be read
  | "E-CONFIG-TOML" // is not TOML
  | "E-CONFIG-KEY" // has a key that is unknown
  | "E-CONFIG-VALUE" // has a value that cannot be
  | "E-CONFIG-TWICE" // says one thing twice
> {}
