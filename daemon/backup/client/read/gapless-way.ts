/**
 * Which pieces make up a chunk.
 *
 * A chunk may have been stored twice and cut at different places, and of one of the two a piece may
 * be lost: then the first piece of it leads nowhere, and the other way has to be found.
 */
interface Piece {
  readonly chunkOffset: number;
  readonly chunkLength: number;
}

/** Pieces that follow one another without a gap, from the first byte to the last; if there are. */
export function gaplessWay<P extends Piece>(
  pieces: readonly P[],
  lengthOf: (piece: P) => number,
): readonly P[] | undefined {
  /** By where it ends: a piece that begins where another one ends, or at 0. */
  const reaching = new Map<number, P>();
  const reached = [0];
  for (const at of reached) {
    for (const piece of pieces) {
      const end = at + lengthOf(piece);
      if (piece.chunkOffset !== at || reaching.has(end)) continue;
      reaching.set(end, piece);
      reached.push(end);
    }
  }
  const way: P[] = [];
  for (let at = pieces[0]?.chunkLength ?? 0; at > 0;) {
    const piece = reaching.get(at);
    if (piece === undefined) return undefined;
    way.unshift(piece);
    at = piece.chunkOffset;
  }
  return way.length === 0 ? undefined : way;
}
