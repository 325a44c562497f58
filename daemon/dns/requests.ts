/**
 * Signed questions, transfers and updates: who asks, whether that is allowed, and by whom it is done.
 *
 * A signature is checked before anything else is read of a request, and every answer to a signed
 * request is signed with the same key (RFC 8945 section 5.3).
 */
import type { Clock } from "../core/clock.ts";
import type { ZoneKey } from "../core/zones/zone-keys.ts";
import { OPCODE, RCODE } from "../../protocol/dns/dns-code.ts";
import {
  decodeMessage,
  outlineMessage,
  type DecodedMessage,
  type MessageOutline,
} from "../../protocol/dns/decode-message.ts";
import { sameName, type DnsName } from "../../protocol/dns/dns-name.ts";
import { algorithmOf, findTsig, type PlacedTsig } from "../../protocol/dns/tsig.ts";
import { placeOfKey } from "../../protocol/dns/zone-key.ts";
import { TsigSigner, verifyTsig, withTsigError } from "../../protocol/dns/tsig-mac.ts";
import { bareAnswer } from "./bare-answer.ts";
import type { KeyView } from "./client.ts";
import type { LiveKey } from "./keys/key-ring.ts";
import { MIN_UDP_BYTES, UDP_BYTES } from "./edns.ts";
import type { Asker, Transactions } from "./serve.ts";
import { Transfers, type TransferOptions } from "./transfer/transfers.ts";

export interface RequestOptions extends TransferOptions {
  readonly keys: {
    find(name: DnsName, algorithm?: LiveKey["tsig"]["algorithm"]): readonly LiveKey[];
  };
  /** Applies an update of a key; returns the code of the answer. */
  readonly update: (
    message: DecodedMessage,
    packet: Uint8Array,
    rights: readonly ZoneKey[],
  ) => Promise<number>;
  readonly clock: Clock;
}

/** Updates write to the disk and wait for other nodes. */
const MAX_PENDING = 64;

type Signature =
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly answer: Uint8Array }
  | {
      readonly kind: "signed";
      readonly key: LiveKey;
      readonly signer: TsigSigner;
      readonly tsig: PlacedTsig;
    };

export class Requests implements Transactions {
  readonly #options: RequestOptions;
  readonly #transfers: Transfers;
  #pending = 0;

  constructor(options: RequestOptions) {
    this.#options = options;
    this.#transfers = new Transfers(options);
  }

  guarded(): readonly DnsName[] {
    const { catalog } = this.#options;
    return catalog === undefined ? [] : [catalog.apex];
  }

  async *serve(
    packet: Uint8Array,
    asker: Asker,
    respond: Parameters<Transactions["serve"]>[2],
  ): AsyncGenerator<Uint8Array> {
    const read = outlineMessage(packet);
    const outline = "fault" in read || read.trailingBytes > 0 ? undefined : read;
    if (outline === undefined) return yield bareAnswer(packet, undefined, RCODE.FORMERR);
    const signature = this.#signatureOf(packet, outline);
    if (signature.kind === "refused") return yield signature.answer;
    if (outline.opcode === OPCODE.UPDATE) {
      return yield* this.#update(packet, outline, signature);
    }
    const plain = signature.kind === "signed" ? unsigned(packet, signature.tsig) : packet;
    if (outline.opcode !== OPCODE.QUERY) {
      // RFC 1996 section 3.11: no zone here has a primary elsewhere.
      const refusal = bareAnswer(plain, outline, RCODE.REFUSED);
      return yield signed(refusal, signature, outline, asker, packet);
    }
    const rights = signature.kind === "signed" ? signature.key.rights : undefined;
    const asked = this.#transfers.asked(plain, asker, rights);
    if (asked === undefined) {
      const answer = await respond(plain, rights && seenBy(rights));
      if (answer !== undefined) yield signed(answer, signature, outline, asker, packet);
      return;
    }
    const signer = signature.kind === "signed" ? signature.signer : undefined;
    const reserveBytes = signer?.sizeBytes ?? 0;
    for (const message of this.#transfers.serve(plain, outline, asker, asked, reserveBytes)) {
      yield signer === undefined ? message : signer.sign(message);
    }
  }

  #signatureOf(packet: Uint8Array, outline: MessageOutline): Signature {
    const tsig = findTsig(packet, outline);
    if (tsig === "none") return { kind: "none" };
    const refuse = (rcode: number): Uint8Array => bareAnswer(packet, outline, rcode);
    if (tsig === "malformed") return { kind: "refused", answer: refuse(RCODE.FORMERR) };
    const algorithm = algorithmOf(tsig.algorithm);
    const keys = algorithm === undefined ? [] : this.#options.keys.find(tsig.key, algorithm);
    if (keys.length === 0) {
      const answer = withTsigError(refuse(RCODE.NOTAUTH), tsig, "BADKEY");
      return { kind: "refused", answer };
    }
    const now = (): number => Math.floor(this.#options.clock.wallMs() / 1000);
    for (const key of keys) {
      const verdict = verifyTsig(packet, tsig, key.tsig, now());
      if (verdict === "malformed") return { kind: "refused", answer: refuse(RCODE.FORMERR) };
      if (verdict === "BADSIG") continue;
      const signer = new TsigSigner(key.tsig, tsig.mac, now);
      if (verdict === "ok") return { kind: "signed", key, signer, tsig };
      const answer = signer.signError(refuse(RCODE.NOTAUTH), tsig, verdict);
      return { kind: "refused", answer };
    }
    return { kind: "refused", answer: withTsigError(refuse(RCODE.NOTAUTH), tsig, "BADSIG") };
  }

  async *#update(
    packet: Uint8Array,
    outline: MessageOutline,
    signature: Exclude<Signature, { kind: "refused" }>,
  ): AsyncGenerator<Uint8Array> {
    // RFC 3007 section 3: whoever changes a zone has to be known.
    if (signature.kind === "none") return yield bareAnswer(packet, outline, RCODE.REFUSED);
    const plain = unsigned(packet, signature.tsig);
    const message = decodeMessage(plain);
    let rcode: number = RCODE.FORMERR;
    if (!("fault" in message)) {
      if (this.#pending >= MAX_PENDING) rcode = RCODE.SERVFAIL;
      else {
        this.#pending += 1;
        try {
          rcode = await this.#options.update(message, packet, signature.key.rights);
        } finally {
          this.#pending -= 1;
        }
      }
    }
    yield signature.signer.sign(bareAnswer(plain, outline, rcode));
  }
}

function seenBy(rights: readonly ZoneKey[]): KeyView {
  return (apex) => {
    const right = rights.find(({ zone }) => sameName(zone, apex));
    return right && placeOfKey(right).view;
  };
}

/** The request without its signature, as the responder reads it. */
function unsigned(packet: Uint8Array, { start }: PlacedTsig): Uint8Array {
  const plain = Buffer.from(packet.subarray(0, start));
  plain.writeUInt16BE(plain.readUInt16BE(10) - 1, 10);
  return Uint8Array.from(plain);
}

/** Signs an answer; over UDP one that has no room for a signature is cut down to its question. */
function signed(
  answer: Uint8Array,
  signature: Exclude<Signature, { kind: "refused" }>,
  outline: MessageOutline,
  { carrier }: Asker,
  packet: Uint8Array,
): Uint8Array {
  if (signature.kind === "none") return answer;
  const { signer } = signature;
  if (carrier === "tcp" || answer.length + signer.sizeBytes <= udpBytes(outline)) {
    return signer.sign(answer);
  }
  const cut = bareAnswer(packet, outline, (answer[3] ?? 0) & 15);
  cut[2] = (cut[2] ?? 0) | ((answer[2] ?? 0) & 0x04) | 0x02;
  return signer.sign(cut);
}

function udpBytes({ opt }: MessageOutline): number {
  if (opt === undefined) return MIN_UDP_BYTES;
  return Math.min(Math.max(opt.class, MIN_UDP_BYTES), UDP_BYTES);
}
