/**
 * The sealed side of a shard: frames, table of contents, padding. See shard.ts for the header.
 *
 * ```
 * frame = nonce (24) | ciphertext | tag (16)        key = K_shard or K_index
 * associated data = header (288) | kind | frame number | plain length | sealed length | shard size
 * lead  = frame of { offset of the table, number of frames }, right behind the header
 * table = last frame: length of the table | table | zeros up to the end of the shard
 * ```
 *
 * Numbers are uint32 BE, the kind is one byte: 1 lead, 2 table, 16 and more as in chunk.ts. There
 * is no byte between the frames, so each byte of a shard is authenticated.
 *
 * Frames of files and directories are sealed with K_shard, which comes from the key of the epoch.
 * Lead, table, index and snapshot record are sealed with K_index, which comes from K_set: a site
 * that has erased the keys of its past still knows which chunks it has stored, and which shards
 * a snapshot needs, and can read neither a file nor a name in them.
 */
import { chunkKindCode, type ChunkKind } from "./chunk.ts";
import { release, unpackFrame, type FrameContent } from "./frame.ts";
import { shardIndexKey, shardKey } from "./set-keys.ts";
import { HEADER_BYTES, ShardError, encodeShardHeader, parseShardHeader } from "./shard.ts";
import type { ShardHeader } from "./shard.ts";
import { isShardSize } from "./shard-id.ts";
import {
  FRAMES_OFFSET,
  FRAME_OVERHEAD_BYTES,
  LEAD_BYTES,
  TABLE_LENGTH_BYTES,
  decodeTable,
  encodeTable,
  type TableFrame,
  type TablePiece,
} from "./shard-table.ts";
import {
  CIPHER_NONCE_BYTES,
  decrypt,
  encryptInto,
  type Decrypt,
  type EncryptInto,
} from "../keys/xchacha.ts";

const LEAD_KIND = 1;
const TABLE_KIND = 2;
const LEAD_PLAIN_BYTES = LEAD_BYTES - FRAME_OVERHEAD_BYTES;

/** A frame that is packed, and not yet sealed. */
export interface PackedFrame extends FrameContent {
  readonly kind: ChunkKind;
  readonly plainLength: number;
  readonly pieces: readonly TablePiece[];
}

export interface ShardSecrets {
  readonly header: ShardHeader;
  /** K_set. */
  readonly setKey: Uint8Array;
  /** K_epoch of the header's key epoch. */
  readonly epochKey: Uint8Array;
  /** Random bytes, never the same. */
  readonly random: (sizeBytes: number) => Uint8Array;
  /** Default: the one of xchacha.ts. */
  readonly encryptInto?: EncryptInto;
}

/** What a shard is opened with. */
export interface ShardKeys {
  /** K_set. */
  readonly setKey: Uint8Array;
  /** K_epoch of its key epoch; without it files and directories stay closed. */
  readonly epochKey: Uint8Array | undefined;
}

/** The table of these frames, in its encoding; it does not name itself. */
export function tableOf(frames: readonly PackedFrame[]): Uint8Array {
  return encodeTable(
    frames.map(({ kind, codec, content, plainLength, pieces }) => {
      const sealedLength = content.length + FRAME_OVERHEAD_BYTES;
      return { kind, codec, sealedLength, plainLength, pieces };
    }),
  );
}

/** How many bytes a shard of these frames needs at least, before padding. */
export function sealedBytes(frames: readonly PackedFrame[], tableLength: number): number {
  const table = FRAME_OVERHEAD_BYTES + TABLE_LENGTH_BYTES + tableLength;
  return frames.reduce(
    (sum, { content }) => sum + content.length + FRAME_OVERHEAD_BYTES,
    FRAMES_OFFSET + table,
  );
}

/**
 * Writes a shard over all of `into`, whose length is the size of the shard.
 *
 * @throws RangeError when the frames do not fit: a bug in the caller.
 */
export function sealShard(
  into: Uint8Array,
  secrets: ShardSecrets,
  frames: readonly PackedFrame[],
): void {
  const table = tableOf(frames);
  if (!isShardSize(into.length) || sealedBytes(frames, table.length) > into.length) {
    throw new RangeError(`frames do not fit in ${into.length} bytes`);
  }
  const seal = secrets.encryptInto ?? encryptInto;
  const header = encodeShardHeader(secrets.header);
  into.set(header);
  const contentKey = shardKey(secrets.epochKey, secrets.header.nonce);
  const indexKey = shardIndexKey(secrets.setKey, secrets.header.nonce);
  const put = (at: number, kind: number, number: number, plain: number, content: Uint8Array) => {
    const key = isContent(kind) ? contentKey : indexKey;
    const sealedLength = content.length + FRAME_OVERHEAD_BYTES;
    const nonce = secrets.random(CIPHER_NONCE_BYTES);
    const associated = associate(header, kind, number, plain, sealedLength, into.length);
    into.set(nonce, at);
    const sealed = into.subarray(at + CIPHER_NONCE_BYTES, at + sealedLength);
    seal(key, nonce, associated, content, sealed);
    return at + sealedLength;
  };
  let at = FRAMES_OFFSET;
  frames.forEach(({ kind, plainLength, content }, number) => {
    at = put(at, chunkKindCode(kind), number, plainLength, content);
  });
  const padded = new Uint8Array(into.length - at - FRAME_OVERHEAD_BYTES);
  new DataView(padded.buffer).setUint32(0, table.length);
  padded.set(table, TABLE_LENGTH_BYTES);
  const lead = new Uint8Array(LEAD_PLAIN_BYTES);
  new DataView(lead.buffer).setUint32(0, at);
  new DataView(lead.buffer).setUint32(4, frames.length);
  put(at, TABLE_KIND, frames.length, padded.length, padded);
  put(HEADER_BYTES, LEAD_KIND, 0, lead.length, lead);
}

/** A shard that was opened: its table is known and sound, frames are opened on demand. */
export class OpenedShard {
  readonly header: ShardHeader;
  readonly frames: readonly TableFrame[];
  readonly #bytes: Uint8Array;
  readonly #indexKey: Uint8Array;
  readonly #contentKey: Uint8Array | undefined;
  readonly #offsets: readonly number[];

  /**
   * Opens lead and table. Check the name of the shard first (verifyShard): opening says only
   * that the keys of this data set sealed it.
   *
   * @throws ShardError E-SHARD-SEAL when a tag does not fit, E-SHARD-FORM when the table is wrong.
   */
  constructor(bytes: Uint8Array, { setKey, epochKey }: ShardKeys) {
    if (!isShardSize(bytes.length)) throw malformed("size");
    this.header = parseShardHeader(bytes);
    this.#bytes = bytes;
    const { nonce } = this.header;
    this.#indexKey = shardIndexKey(setKey, nonce);
    this.#contentKey = epochKey === undefined ? undefined : shardKey(epochKey, nonce);
    const lead = this.#open(HEADER_BYTES, LEAD_KIND, 0, LEAD_PLAIN_BYTES, LEAD_BYTES);
    const view = new DataView(lead.buffer, lead.byteOffset, lead.byteLength);
    const [at, count] = [view.getUint32(0), view.getUint32(4)];
    const sealedLength = bytes.length - at;
    if (at < FRAMES_OFFSET || sealedLength < FRAME_OVERHEAD_BYTES + TABLE_LENGTH_BYTES) {
      throw malformed("lead");
    }
    const plainLength = sealedLength - FRAME_OVERHEAD_BYTES;
    const padded = this.#open(at, TABLE_KIND, count, plainLength, sealedLength);
    const tableView = new DataView(padded.buffer, padded.byteOffset, padded.byteLength);
    const end = TABLE_LENGTH_BYTES + tableView.getUint32(0);
    if (end > padded.length || !isZero(padded.subarray(end))) throw malformed("padding");
    this.frames = decodeTable(padded.subarray(TABLE_LENGTH_BYTES, end));
    const offsets: number[] = [];
    let next = FRAMES_OFFSET;
    for (const frame of this.frames) {
      offsets.push(next);
      next += frame.sealedLength;
    }
    if (next !== at || this.frames.length !== count) throw malformed("frames");
    this.#offsets = offsets;
  }

  /**
   * The plaintext of a frame.
   *
   * @param unpack - unpackFrame, or what does the same in memory of its own.
   * @param open - decrypt of xchacha.ts, or what does the same in memory of its own; what is not
   *   compressed is then valid as long as that memory.
   * @throws ShardError when its tag does not fit or it does not unpack to its declared length;
   *   E-SHARD-KEY when it is sealed with the key of the epoch, and that was not given.
   */
  frame(
    number: number,
    unpack: typeof unpackFrame = unpackFrame,
    open: Decrypt = decrypt,
  ): Uint8Array {
    const frame = this.frames[number];
    const at = this.#offsets[number];
    if (frame === undefined || at === undefined) throw new RangeError(`frame ${number}`);
    const { kind, codec, plainLength, sealedLength } = frame;
    const code = chunkKindCode(kind);
    const content = this.#open(at, code, number, plainLength, sealedLength, open);
    const plaintext = unpack(codec, content, plainLength);
    if (plaintext === undefined) throw malformed("compression");
    if (plaintext !== content && open === decrypt) release(content);
    return plaintext;
  }

  #open(
    at: number,
    kind: number,
    number: number,
    plainLength: number,
    sealedLength: number,
    open: Decrypt = decrypt,
  ): Uint8Array {
    const key = isContent(kind) ? this.#contentKey : this.#indexKey;
    if (key === undefined) {
      const { keyEpoch } = this.header;
      throw new ShardError("E-SHARD-KEY", `The key of key epoch ${keyEpoch} is not at hand.`);
    }
    const header = this.#bytes.subarray(0, HEADER_BYTES);
    const size = this.#bytes.length;
    const associated = associate(header, kind, number, plainLength, sealedLength, size);
    const nonce = this.#bytes.subarray(at, at + CIPHER_NONCE_BYTES);
    const sealed = this.#bytes.subarray(at + CIPHER_NONCE_BYTES, at + sealedLength);
    const content = open(key, nonce, associated, sealed);
    if (content !== undefined) return content;
    throw new ShardError("E-SHARD-SEAL", "A sealed part of the shard does not fit its key.");
  }
}

const CONTENT_KINDS: ReadonlySet<number> = new Set([chunkKindCode("data"), chunkKindCode("tree")]);

/** Whether frames of that kind are sealed with the key of the epoch. */
function isContent(kind: number): boolean {
  return CONTENT_KINDS.has(kind);
}

function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

function associate(
  header: Uint8Array,
  kind: number,
  number: number,
  plainLength: number,
  sealedLength: number,
  shardSize: number,
): Uint8Array {
  const associated = new Uint8Array(HEADER_BYTES + 17);
  associated.set(header);
  associated[HEADER_BYTES] = kind;
  const view = new DataView(associated.buffer, HEADER_BYTES + 1);
  [number, plainLength, sealedLength, shardSize].forEach((value, at) => {
    view.setUint32(at * 4, value);
  });
  return associated;
}

function malformed(what: string): ShardError {
  return new ShardError("E-SHARD-FORM", `The sealed part of a shard is malformed (${what}).`);
}
