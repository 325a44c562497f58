/**
 * A peer's key in the three shapes it has: our hexadecimal text, libp2p's PeerId, and the end of
 * a multiaddr. Only Ed25519 keys are peers of ours.
 */
import { privateKeyFromRaw, publicKeyFromRaw } from "@libp2p/crypto/keys";
import type { PeerId, PrivateKey } from "@libp2p/interface";
import { peerIdFromPublicKey, peerIdFromString } from "@libp2p/peer-id";
import { multiaddr, type Multiaddr } from "@multiformats/multiaddr";
import { idBytes, parseId, type PeerKey } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import { MeshError } from "./error.ts";

/** @throws RangeError when the text is not 32 bytes of hexadecimal, which is a bug in the caller. */
export function peerIdOf(key: PeerKey): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(idBytes(key)));
}

/** The key of a PeerId, or undefined when it is not an Ed25519 key. */
export function peerKeyOf(peerId: PeerId): PeerKey | undefined {
  return peerId.type === "Ed25519" ? parseId<PeerKey>(peerId.publicKey.raw) : undefined;
}

/** The key that libp2p signs its handshakes with. */
export function libp2pKeyOf(key: SigningKey): PrivateKey {
  const pkcs8 = key.secret.export({ format: "der", type: "pkcs8" });
  return privateKeyFromRaw(Buffer.concat([pkcs8.subarray(-32), key.publicKey]));
}

/** The multiaddr of a member: `/p2p/…` is added, or must be this key when it is there. */
export function memberAddress(text: string, key: PeerKey): Multiaddr | undefined {
  try {
    const address = multiaddr(text);
    if (!address.getComponents().some((part) => part.name === "p2p")) {
      return address.encapsulate(`/p2p/${peerIdOf(key).toString()}`);
    }
    return peerNamedIn(address) === key ? address : undefined;
  } catch {
    return undefined;
  }
}

/**
 * An address that names its peer, as invitations and recovery sheets carry it.
 *
 * @throws MeshError (E-MESH-ADDRESS) when it cannot be read or names no Ed25519 peer.
 */
export function namedAddress(text: string): { readonly address: Multiaddr; readonly key: PeerKey } {
  let address: Multiaddr;
  let key: PeerKey | undefined;
  try {
    address = multiaddr(text);
    key = peerNamedIn(address);
  } catch (cause) {
    throw new MeshError("E-MESH-ADDRESS", `“${text}” is not a multiaddr.`, {
      cause,
      hint: "An address looks like /ip4/192.0.2.7/tcp/4901/p2p/12D3Koo…",
    });
  }
  if (key === undefined) {
    throw new MeshError("E-MESH-ADDRESS", `“${text}” does not name its peer (/p2p/…).`);
  }
  return { address, key };
}

/** The last `/p2p/` part, or undefined when there is none. Throws what libp2p throws on bad text. */
function peerNamedIn(address: Multiaddr): PeerKey | undefined {
  const text = address.getComponents().findLast((part) => part.name === "p2p")?.value;
  return text === undefined ? undefined : peerKeyOf(peerIdFromString(text));
}
