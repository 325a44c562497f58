/**
 * The hello: the first words on a link, protocol `/pleach/hello/1`.
 *
 * Whoever dialled sends one, the other answers with its own, and the channel ends. A link counts
 * only after that: libp2p shows a dialler an open connection that the other side's gate is about
 * to cut.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import { idBytes, parseId, type MeshId } from "../ids.ts";

export const HELLO_PROTOCOL = "/pleach/hello/1";

/** A hello is a few addresses; longer is refused undecoded. */
export const MAX_HELLO_BYTES = 8 * 1024;

export interface Hello {
  readonly mesh: MeshId;
  /** 16 random bytes (hexadecimal) made when the node starts: tells a restarted peer from a second link. */
  readonly instance: string;
  /** Version of the program, for display. */
  readonly version: string;
  /** Multiaddrs at which the sender believes it can be reached. Hints. */
  readonly addresses: readonly string[];
}

const shape = z.strictObject({
  v: z.literal(1),
  mesh: z.instanceof(Uint8Array).refine((bytes) => bytes.length === 32),
  instance: z.instanceof(Uint8Array).refine((bytes) => bytes.length === 16),
  version: z.string().max(64),
  addresses: z.array(z.string().max(256)).max(16),
});

/** @throws RangeError when the hello breaks its own limits, which is a bug in the caller. */
export function encodeHello(hello: Hello): Uint8Array {
  const bytes = encodeCbor({
    v: 1,
    mesh: idBytes(hello.mesh),
    instance: Uint8Array.from(Buffer.from(hello.instance, "hex")),
    version: hello.version,
    addresses: hello.addresses,
  });
  if (decodeHello(bytes) === undefined) throw new RangeError("hello breaks its limits");
  return bytes;
}

/** The hello that the bytes stand for, or undefined when they are none. */
export function decodeHello(bytes: Uint8Array): Hello | undefined {
  let value: unknown;
  try {
    value = decodeCbor(bytes, MAX_HELLO_BYTES);
  } catch {
    return undefined;
  }
  const parsed = shape.safeParse(value);
  if (!parsed.success) return undefined;
  const mesh = parseId<MeshId>(parsed.data.mesh);
  if (mesh === undefined) return undefined;
  const { version, addresses } = parsed.data;
  return { mesh, instance: Buffer.from(parsed.data.instance).toString("hex"), version, addresses };
}
