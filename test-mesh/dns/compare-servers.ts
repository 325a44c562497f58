/** Random zones and questions: our answers beside those of Knot and NSD. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ZoneTree } from "../../daemon/dns/zone-tree.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { responderOf } from "./asked-responder.ts";
import { ManyAskers } from "./ask-many.ts";
import { questionOf, replyOf, type Reply } from "./ferret.ts";
import { randomZone, type RandomZone } from "./random-zone.ts";
import { ReferenceServer } from "./reference-servers.ts";
import { zoneOfLines } from "./zone-lines.ts";

const QUESTIONS_PER_ZONE = 50;
/** Questions under way at once. */
const AT_ONCE = 25;

export interface Compared {
  readonly cases: number;
  /** Cases by what came of them: the code, with WILDCARD, EMPTY and so on where it matters. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Questions whose answer differs from what Knot and NSD agree on, with everything about them. */
  readonly misses: readonly string[];
  /** Cases in which Knot and NSD do not agree; ours is as one of them, or a miss. */
  readonly split: number;
}

export async function compareServers(seed: number, cases: number): Promise<Compared> {
  const random = new SeededRandom(seed);
  const zones = Array.from({ length: Math.ceil(cases / QUESTIONS_PER_ZONE) }, (_, index) =>
    randomZone(`z${index}.example.`, QUESTIONS_PER_ZONE, random),
  );
  const directory = await mkdtemp(join(tmpdir(), "pleach-compare-"));
  const texts = zones.map(({ apex, lines }) => ({ apex, text: `${lines.join("\n")}\n` }));
  const servers: ReferenceServer[] = [];
  try {
    servers.push(await ReferenceServer.knot(join(directory, "knot"), texts));
    servers.push(await ReferenceServer.nsd(join(directory, "nsd"), texts));
    return await compare(zones, servers, cases);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(directory, { recursive: true });
  }
}

async function compare(
  zones: readonly RandomZone[],
  servers: readonly ReferenceServer[],
  cases: number,
): Promise<Compared> {
  const last = zones.at(-1);
  const probe = packet({ name: last?.apex ?? ".", type: "SOA" });
  await Promise.all(servers.map((server) => server.ready(probe)));
  const askers = await Promise.all(
    servers.map((server) => ManyAskers.open(server.address, server.port)),
  );
  const kinds = new Map<string, number>();
  const misses: string[] = [];
  let split = 0;
  try {
    const asked = zones
      .flatMap((zone) => zone.questions.map((question) => ({ zone, question })))
      .slice(0, cases);
    for (let at = 0; at < asked.length; at += AT_ONCE) {
      await Promise.all(
        asked.slice(at, at + AT_ONCE).map(async ({ zone, question }) => {
          const own = ownReply(zone, question);
          const [knot, nsd] = await Promise.all(askers.map((each) => reply(each, question)));
          const kind = kindOf(own);
          kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
          const agreed = same(essence(knot), essence(nsd));
          if (!agreed) split += 1;
          const wanted = agreed
            ? [knot, nsd]
            : [knot, nsd].filter((each) => same(essence(each), essence(own)));
          const right = wanted.every((each) => same(essence(each), essence(own)));
          if (right && wanted.some((each) => same(withoutServers(each), withoutServers(own))))
            return;
          misses.push(JSON.stringify({ question, own, knot, nsd, zone: zone.lines }, undefined, 1));
        }),
      );
    }
  } finally {
    for (const each of askers) each.close();
  }
  return { cases, kinds, misses, split };
}

function ownReply(zone: RandomZone, question: Question): Reply {
  const responder = responderOf(new ZoneTree([zoneOfLines(zone.lines.join("\n"))]));
  const answer = responder.respond(packet(question), "udp");
  if (answer === undefined) throw new Error(`no answer to ${question.name} ${question.type}`);
  return replyOf(answer);
}

type Question = RandomZone["questions"][number];

function packet({ name, type }: Question): Uint8Array {
  return questionOf({
    id: "",
    zone: "",
    Query: { Name: name, Type: type },
    "Expected Response": [],
  });
}

async function reply(askers: ManyAskers, question: Question): Promise<Reply | undefined> {
  const answer = await askers.ask(packet(question));
  return answer === undefined ? undefined : replyOf(answer);
}

const same = isDeepStrictEqual;

/**
 * What two right servers must agree on: everything, but in answers with records only code, flags and
 * records. What they add beside those is up to them (RFC 1034 section 4.3.2, step 6): Knot leaves the
 * zone's name servers out, NSD names additional records below a wildcard in a way of its own.
 */
function essence(reply: Reply | undefined): unknown {
  if (reply === undefined || reply.sections[0].length === 0) return reply;
  return { rcode: reply.rcode, flags: reply.flags, answer: reply.sections[0] };
}

/** The same without the zone's name servers and their addresses in an answer with records. */
function withoutServers(reply: Reply | undefined): unknown {
  if (reply === undefined || reply.sections[0].length === 0) return reply;
  const [answer, authority, additional] = reply.sections;
  const isOwn = (line: string): boolean => /^(?:ns\.)?z\d+\.example\. \d+ in (?:ns|a) /.test(line);
  const rest = [authority, additional].map((section) => section.filter((line) => !isOwn(line)));
  return { ...reply, sections: [answer, ...rest] };
}

function kindOf({ rcode, flags, sections: [answer, authority] }: Reply): string {
  if (rcode !== "NOERROR") return rcode;
  if (answer.length > 0) return "answer";
  return flags.includes("AA") || authority.some((line) => line.includes(" soa "))
    ? "no data"
    : "referral";
}
