/** What the main thread and the threads that answer UDP tell one another. */
import type { ZoneView } from "../../../protocol/dns/zone-view.ts";
import type { ListenPlace } from "../inherited-sockets.ts";
import type { Listen } from "../listen.ts";
import type { Identity } from "../responder.ts";
import type { ViewRule } from "../view-rules.ts";

export interface WorkerStart {
  readonly listen: readonly ListenPlace[];
  readonly views: readonly ViewRule[];
  /** Other threads are bound to the same addresses. */
  readonly shared: boolean;
  readonly answersPerSecond: number;
  readonly seed: number;
  /** One number: not 0 when a message waits. */
  readonly bell: SharedArrayBuffer;
}

/** A packet's socket, by its place in the list, and its sender as the system has it. */
export interface ReturnAddress {
  readonly socket: number;
  readonly place: Uint8Array;
}

export type ToWorker =
  /** Changes of zones as bytes (zone-snapshot.ts); the answer is "serving" with the same version. */
  | { readonly kind: "zones"; readonly version: number; readonly bytes: Uint8Array }
  | { readonly kind: "identity"; readonly identity: Identity }
  | { readonly kind: "views"; readonly views: readonly ViewRule[] }
  | { readonly kind: "send"; readonly to: ReturnAddress; readonly bytes: Uint8Array }
  | { readonly kind: "stop" };

export type FromWorker =
  /** `wakeFile`: eight bytes written to it end a wait for packets. */
  | {
      readonly kind: "listening";
      readonly ports: readonly number[];
      readonly wakeFile: number;
    }
  | { readonly kind: "failed"; readonly listen: Listen; readonly code: string }
  | { readonly kind: "serving"; readonly version: number }
  | {
      readonly kind: "request";
      readonly packet: Uint8Array;
      readonly address: Uint8Array;
      readonly port: number;
      readonly view: ZoneView;
      readonly from: ReturnAddress;
    }
  | { readonly kind: "fault"; readonly error: string; readonly packet: Uint8Array };
