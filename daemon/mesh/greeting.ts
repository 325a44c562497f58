/** The exchange of hellos, which makes a link of a connection between members. */
import type { PeerKey } from "../../protocol/ids.ts";
import {
  decodeHello,
  encodeHello,
  MAX_HELLO_BYTES,
  type Hello,
} from "../../protocol/messages/hello-message.ts";
import type { Channel } from "../core/transport.ts";
import { MeshError } from "./error.ts";

const HELLO_MS = 10_000;

/** The dialler's half. Returns the peer's hello. */
export async function greet(channel: Channel<PeerKey>, own: Hello): Promise<Hello> {
  await channel.send(encodeHello(own));
  await channel.end();
  return read(channel, own);
}

/**
 * The other half. `accepted` runs before the answer leaves, so that the link stands here when the
 * dialler has it.
 */
export async function answerGreeting(
  channel: Channel<PeerKey>,
  own: Hello,
  accepted: (hello: Hello) => void,
): Promise<void> {
  accepted(await read(channel, own));
  await channel.send(encodeHello(own));
  await channel.end();
}

async function read(channel: Channel<PeerKey>, own: Hello): Promise<Hello> {
  const frame = await channel.receive(HELLO_MS);
  const hello =
    frame === undefined || frame.length > MAX_HELLO_BYTES ? undefined : decodeHello(frame);
  if (hello === undefined) throw new MeshError("E-MESH-FORM", "The peer's hello is not one.");
  if (hello.mesh !== own.mesh) {
    throw new MeshError("E-MESH-UNREACHABLE", "The peer belongs to another mesh.");
  }
  return hello;
}
