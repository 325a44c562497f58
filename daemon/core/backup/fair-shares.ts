/**
 * Who goes next where several share one line: by bytes, so that nobody's number of pieces, groups
 * or data sets gets it more.
 *
 * A waiting piece names its place as a path: what it is for, whose it is, which data set. At each
 * level of the path the one that has had the least goes next, counted in bytes divided by its
 * weight; whoever comes back after a pause begins level with those that are there and has saved
 * nothing up. Between any two that always wait, what they had differs by two pieces at most, so
 * nobody starves.
 *
 * Source: Goyal, Vin, Cheng: Start-time fair queueing. IEEE/ACM Transactions on Networking 5(5),
 * 1997; one such queue at each level.
 */

/** One level of the path. */
export interface Share {
  readonly name: string;
  /** How many times as much it gets as one with weight 1. Above 0. */
  readonly weight: number;
}

interface Piece<Item> {
  readonly costBytes: number;
  readonly item: Item;
}

class Node<Item> {
  readonly children = new Map<string, Node<Item>>();
  readonly pieces: Piece<Item>[] = [];
  weight = 1;
  /** Bytes by weight that it had, from its parent's point of view. */
  had = 0;
  /** What the child that went last had had before: where newcomers begin. */
  level = 0;
  waiting = 0;
}

export class FairShares<Item> {
  readonly #root = new Node<Item>();

  /** How many wait. */
  get size(): number {
    return this.#root.waiting;
  }

  /** @param path - From the coarsest level to the finest; all paths of one queue are as long. */
  add(path: readonly Share[], costBytes: number, item: Item): void {
    let node = this.#root;
    node.waiting++;
    for (const { name, weight } of path) {
      let child = node.children.get(name);
      if (child === undefined) {
        child = new Node<Item>();
        node.children.set(name, child);
      }
      if (child.waiting === 0) child.had = Math.max(child.had, node.level);
      child.weight = weight;
      child.waiting++;
      node = child;
    }
    node.pieces.push({ costBytes, item });
  }

  /** The one that {@link take} gives next. */
  peek(): Item | undefined {
    return this.#path().at(-1)?.pieces[0]?.item;
  }

  /** Takes out the next one. */
  take(): Item | undefined {
    const path = this.#path();
    const piece = path.at(-1)?.pieces.shift();
    if (piece === undefined) return undefined;
    for (const [depth, node] of path.entries()) {
      node.waiting--;
      const parent = path[depth - 1];
      if (parent === undefined) continue;
      parent.level = node.had;
      node.had += piece.costBytes / node.weight;
    }
    // Who waits for nothing is remembered only as long as it has had more than the others.
    for (const node of path) {
      for (const [name, child] of node.children) {
        const isForgotten = node.waiting === 0 || child.had <= node.level;
        if (child.waiting === 0 && isForgotten) node.children.delete(name);
      }
    }
    return piece.item;
  }

  /** Takes out all, in some order. */
  drain(): Item[] {
    const all: Item[] = [];
    for (let item = this.take(); item !== undefined; item = this.take()) all.push(item);
    return all;
  }

  /** From the root to the node whose first piece is next. */
  #path(): Node<Item>[] {
    const path = [this.#root];
    for (let node = this.#root; node.pieces.length === 0;) {
      let next: Node<Item> | undefined;
      for (const child of node.children.values()) {
        if (child.waiting > 0 && (next === undefined || child.had < next.had)) next = child;
      }
      if (next === undefined) return [];
      path.push(next);
      node = next;
    }
    return path;
  }
}
