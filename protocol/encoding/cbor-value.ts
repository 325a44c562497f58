/** What CBOR of ours can say, and how it fails. */
import { PleachError } from "../error.ts";

/** What may stand in a message or a signed body. `undefined` is left out of maps by the caller. */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue };

export class CborError extends PleachError<"E-CBOR-SIZE" | "E-CBOR-FORM" | "E-CBOR-CANONICAL"> {}
