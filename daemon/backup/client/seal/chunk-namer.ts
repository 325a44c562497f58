/** Names chunks of one kind: chunkIdOf of protocol/backup/chunk.ts, without an object for each chunk. */
import { CHUNK_ID_BYTES, chunkIdOf, type ChunkKind } from "../../../../protocol/backup/chunk.ts";
import { chunkIdKey } from "../../../../protocol/backup/set-keys.ts";
import { ownFunctions } from "../own-functions.ts";

const openssl = ownFunctions({
  sha256: "void *EVP_sha256()",
  hmac: "void *HMAC(void *type, void *key, int length, void *data, size_t size, void *into, void *n)",
});
const type = openssl?.sha256();

export class ChunkNamer {
  readonly #key: Uint8Array;
  readonly #keyObject: ReturnType<typeof chunkIdKey>;

  /** @param setKey - K_set. */
  constructor(setKey: Uint8Array, kind: ChunkKind) {
    this.#keyObject = chunkIdKey(setKey, kind);
    this.#key = this.#keyObject.export();
  }

  /** The id of a chunk, in memory of its own. */
  name(chunk: Uint8Array): Uint8Array {
    if (openssl === undefined) return chunkIdOf(this.#keyObject, chunk);
    const id = new Uint8Array(CHUNK_ID_BYTES);
    const { length } = this.#key;
    const made = openssl.hmac(type, this.#key, length, chunk, chunk.length, id, null);
    if (made === null) throw new Error("HMAC of OpenSSL failed");
    return id;
  }
}
