/** Whether the LAN is answered about names of others, and by whom. */
import type { Finding } from "./status-finding.ts";

export interface ForwardFacts {
  readonly questions: number;
  /** Of these without anybody being asked. */
  readonly cached: number;
  readonly upstreams: readonly {
    readonly upstream: string;
    readonly reached: boolean;
    readonly reason: string | null;
    /** How long it is not reached; null when it is. */
    readonly lostMs: number | null;
    readonly asked: number;
  }[];
}

/** No area where nothing is forwarded. */
export function forwardArea(facts: ForwardFacts | undefined): readonly Finding[] {
  if (facts === undefined) return [];
  const name = "Forwarding";
  const { upstreams, questions, cached } = facts;
  const lost = upstreams.filter(({ reached }) => !reached);
  if (upstreams.every(({ asked }) => asked === 0)) {
    return [{ area: { name, state: "NONE", text: "no upstream was asked yet" }, todo: [] }];
  }
  const gone = lost.map(
    ({ upstream, reason, lostMs }) =>
      `${upstream} not reached for ${spanText(lostMs ?? 0)} (${reason ?? "no answer"})`,
  );
  const share = questions === 0 ? 0 : Math.round((100 * cached) / questions);
  const well = `${upstreams.length - lost.length} of ${upstreams.length} upstreams reached`;
  const text = [`${well}; ${questions} questions, ${share} % from memory`, ...gone].join("; ");
  if (lost.length < upstreams.length) return [{ area: { name, state: "OK", text }, todo: [] }];
  const todo = {
    text: "No upstream answers: the LAN gets names of others from memory, or not at all.",
    command: "pleach dns upstreams",
  };
  return [{ area: { name, state: "WARNING", text }, todo: [todo] }];
}

function spanText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} days`;
}
