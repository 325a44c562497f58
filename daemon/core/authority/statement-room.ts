/**
 * Which of many statements stay when signers sign more than is kept of them.
 *
 * Statements are taken in by stages. What has been taken in so far decides who has a chain, what
 * others have built on, and which statement can come next; the next stage takes what follows:
 * 1. what an epoch with enough votes names, and the path to it: without limit;
 * 2. votes of one signer for an EPOCH of another, EPOCHs that another has voted for or goes on from:
 *    as many as there are of those others; and what these EPOCHs go on from, up to the limit of
 *    their signer;
 * 3. what follows in a chain, the first in the order (seq, id), up to the limits of its signer.
 *
 * Each stage takes its candidates one by one in a fixed order, and one that finds no room changes
 * nothing for those after it. So what was left out once has no influence, and a set that statements
 * are offered to again and again, one by one in any order, ends as if they had come at once:
 * if F is what is left when nothing more enters, each stage of F takes what that stage of all takes.
 * The first that it did not take would have entered, as all before it are the same.
 * Every signer may sign without end, all at once.
 */
import type { SignerId } from "../../../protocol/statements/statement-head.ts";
import {
  isChained,
  type ChainedBody,
  type SignedStatement,
} from "../../../protocol/statements/statement.ts";
import type { SetContent, Support } from "./set-content.ts";
import { compareInChain, type Room } from "./signer-chain.ts";

/** In the room of one signer. */
const MAX_SIGNER_BYTES = 4 * 1024 * 1024;

interface Candidate {
  readonly statement: SignedStatement;
  readonly body: ChainedBody;
}

/**
 * Takes statements into a content that holds GENESIS alone.
 *
 * @returns The signers whose room was full after each stage since they have one: of those, nothing
 *   enters any more that comes after the last one in it.
 */
export function takeIn(
  content: SetContent,
  statements: Iterable<SignedStatement>,
): ReadonlySet<SignerId> {
  let left: readonly Candidate[] = [...statements]
    .toSorted(compareInChain)
    .flatMap((statement) => (isChained(statement.body) ? { statement, body: statement.body } : []));
  const ancestors = new Map<SignerId, number>();
  const fullAlways = new Map<SignerId, boolean>();
  for (let before = Infinity; left.length < before;) {
    before = left.length;
    left = takeNamed(content, left);
    left = takeBuiltOn(content, left, ancestors);
    const rooms = roomsOf(content);
    left = takePlain(content, left, rooms);
    for (const [by, { count }] of rooms) {
      fullAlways.set(by, count >= content.limitOf(by) && fullAlways.get(by) !== false);
    }
  }
  return new Set([...fullAlways].flatMap(([by, isFull]) => (isFull ? by : [])));
}

/** Whether so much of a signer finds room. */
export function hasRoom(
  content: SetContent,
  by: SignerId,
  { count, sizeBytes }: Room,
  more?: SignedStatement,
): boolean {
  const [one, bytes] = more === undefined ? [0, 0] : [1, more.bytes.length];
  return count + one <= content.limitOf(by) && sizeBytes + bytes <= MAX_SIGNER_BYTES;
}

/** Down the paths from what is named, until nothing more is. */
function takeNamed(content: SetContent, left: readonly Candidate[]): readonly Candidate[] {
  const taken = new Set<Candidate>();
  for (let before = -1; taken.size > before;) {
    before = taken.size;
    for (const each of left.toReversed()) {
      const { statement, body } = each;
      if (taken.has(each) || !content.isSigner(body)) continue;
      if (content.supportOf(statement) !== "named") continue;
      content.keep(statement, body, "built-on");
      taken.add(each);
    }
  }
  return left.filter((each) => !taken.has(each));
}

/** Against what was here before: what this takes in supports nothing before the next stage. */
function takeBuiltOn(
  content: SetContent,
  left: readonly Candidate[],
  ancestors: Map<SignerId, number>,
): readonly Candidate[] {
  const supported = left.flatMap((each): { each: Candidate; support: Support }[] => {
    const support = content.isSigner(each.body) ? content.supportOf(each.statement) : undefined;
    return support === undefined ? [] : [{ each, support }];
  });
  const taken = supported
    .toSorted((a, b) => (a.each.statement.id < b.each.statement.id ? -1 : 1))
    .filter(({ each: { statement, body }, support }) => {
      // One vote for each epoch is enough.
      if (support === "vote" && content.supportOf(statement) === undefined) return false;
      if (support === "ancestor") {
        const count = ancestors.get(body.by) ?? 0;
        if (count >= content.limitOf(body.by)) return false;
        ancestors.set(body.by, count + 1);
      }
      content.keep(statement, body, "built-on");
      return true;
    })
    .map(({ each }) => each);
  return without(left, taken);
}

function roomsOf({ chains }: SetContent): Map<SignerId, Room> {
  return new Map([...chains].map(([by, { taken }]) => [by, taken]));
}

/**
 * In the order of a chain, so that each comes after the one that it follows.
 *
 * @param rooms - What is taken up. An epoch that comes to count meanwhile frees room in the next stage.
 */
function takePlain(
  content: SetContent,
  left: readonly Candidate[],
  rooms: Map<SignerId, Room>,
): readonly Candidate[] {
  const able = new Set(left.filter(({ body }) => content.isSigner(body)));
  const taken = left.filter((each) => {
    const { statement, body } = each;
    if (!able.has(each) || content.fitsChain(body) !== true) return false;
    const room = rooms.get(body.by) ?? { count: 0, sizeBytes: 0 };
    if (!hasRoom(content, body.by, room, statement)) return false;
    const sizeBytes = room.sizeBytes + statement.bytes.length;
    rooms.set(body.by, { count: room.count + 1, sizeBytes });
    content.keep(statement, body, "plain");
    return true;
  });
  return without(left, taken);
}

function without(all: readonly Candidate[], gone: readonly Candidate[]): readonly Candidate[] {
  const taken = new Set(gone);
  return all.filter((each) => !taken.has(each));
}
