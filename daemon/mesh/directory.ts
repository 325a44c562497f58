/**
 * Provider records in kad-dht, among members only: "I hold something under this key".
 *
 * Answers are hints, never truth. Records live 48 h in the memory of the nodes, so whoever
 * provides repeats it at every start and once a day.
 */
import type { PeerId } from "@libp2p/interface";
import { CID } from "multiformats/cid";
import * as raw from "multiformats/codecs/raw";
import { create as createDigest } from "multiformats/hashes/digest";
import type { PeerKey } from "../../protocol/ids.ts";
import type { Clock } from "../core/clock.ts";
import { withDeadline } from "./deadline.ts";
import { MeshError } from "./error.ts";
import type { MeshNode } from "./node.ts";
import { peerKeyOf } from "./peer-id.ts";

const SHA2_256 = 0x12;
const PROVIDE_MS = 30_000;
/** More answers than a mesh has sites are somebody's game. */
const MAX_PROVIDERS = 256;

/**
 * @param key - 32 bytes, a SHA-256.
 * @throws MeshError (E-MESH-DIRECTORY) when no other node took the record.
 */
export async function provide(node: MeshNode, clock: Clock, key: Uint8Array): Promise<void> {
  try {
    await withDeadline(clock, PROVIDE_MS, "Providing", (signal) =>
      node.contentRouting.provide(cidOf(key), { signal }),
    );
  } catch (cause) {
    throw new MeshError("E-MESH-DIRECTORY", "No other node took the provider record.", { cause });
  }
}

/** The peers found until `timeoutMs` is over; also when the search fails. */
export async function findProviders(
  node: MeshNode,
  clock: Clock,
  key: Uint8Array,
  timeoutMs: number,
): Promise<readonly PeerKey[]> {
  const found = new Set<PeerKey>();
  try {
    await withDeadline(clock, timeoutMs, "The search", async (signal) => {
      for await (const provider of node.contentRouting.findProviders(cidOf(key), { signal })) {
        const peer = peerKeyOf(provider.id);
        if (peer !== undefined) found.add(peer);
        if (found.size >= MAX_PROVIDERS || signal.aborted) return;
      }
    });
  } catch {
    // A search that was cut short has still found what it found.
  }
  return [...found];
}

/** Where the directory says a peer is. */
export async function findAddresses(
  node: MeshNode,
  peerId: PeerId,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { multiaddrs } = await node.peerRouting.findPeer(peerId, { signal });
  return multiaddrs.map((address) => address.toString());
}

function cidOf(key: Uint8Array): CID {
  if (key.length !== 32) throw new RangeError(`key of ${key.length} bytes`);
  return CID.createV1(raw.code, createDigest(SHA2_256, key));
}
