/**
 * What a caller of the state can do wrong, and what can go wrong below it.
 */
import { PleachError } from "../../protocol/error.ts";

export class StateError extends PleachError<
  /** This site is in no mesh yet. */
  | "E-STATE-NO-MESH"
  /** The mesh follows rules of a later version: nothing is signed here. */
  | "E-STATE-RULES"
  /** The site has no right to a record. */
  | "E-STATE-RIGHT"
  /** This site's key signed too many logs in two ways. */
  | "E-STATE-FORKED"
  /** A key or value that no record can have. */
  | "E-STATE-VALUE"
  /** All parts of a class are full. */
  | "E-STATE-FULL"
  /** The store failed: nothing more is written until the daemon starts anew. */
  | "E-STATE-STORE"
  /** The state was closed. */
  | "E-STATE-CLOSED"
> {}

export function noMesh(): StateError {
  return new StateError("E-STATE-NO-MESH", "This site is in no mesh yet.", {
    hint: "Run: pleach init, or pleach join CODE",
  });
}
