/** What goes wrong in the mesh on purpose. A peer that is away is data, not an error. */
import { PleachError } from "../../protocol/error.ts";

export type MeshErrorCode =
  /** An address of the configuration or of an invitation cannot be read or used. */
  | "E-MESH-ADDRESS"
  /** The node cannot listen where it should. */
  | "E-MESH-LISTEN"
  /** The peer is not linked, cannot be reached, or does not speak the protocol. */
  | "E-MESH-UNREACHABLE"
  /** The channel is gone: cut, reset, or ended in the middle of a frame. */
  | "E-MESH-GONE"
  /** A wait has ended without what was waited for. */
  | "E-MESH-TIMEOUT"
  /** A frame or message is larger than allowed, or not what the protocol says. */
  | "E-MESH-FORM"
  /** The directory of providers (kad-dht) gave no answer. */
  | "E-MESH-DIRECTORY"
  /** The line is configured to carry no copies at this hour, or never. */
  | "E-MESH-HOURS";

export class MeshError extends PleachError<MeshErrorCode> {}
