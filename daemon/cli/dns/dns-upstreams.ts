/** `pleach dns upstreams`: who is asked about names of others, and how that goes. */
import { Command } from "commander";
import { upstreamsShape, type ForwardInfo } from "../../control/shapes-dns-forward.ts";
import { help, type CliContext } from "../shell/context.ts";
import { table } from "../shell/output.ts";

export function upstreamsCommand(context: CliContext): Command {
  const upstreams = new Command("upstreams").action(async () => {
    const found = await context.client.get("/v1/dns/upstreams", upstreamsShape);
    context.out.result(found, () =>
      found.forward === null
        ? "Nothing is forwarded: there is no [dns.forward] in the configuration."
        : forwardText(found.forward),
    );
  });
  return help(
    upstreams,
    "Shows who is asked about names of others for the LAN, and how that goes.",
    [["pleach dns upstreams", "which of them are reached"]],
  );
}

function forwardText(forward: ForwardInfo): string {
  const { questions, cached, stale, forwarded, failed, blocked, crowded } = forward;
  const counts: readonly (readonly [string, number])[] = [
    ["questions of the LAN", questions],
    ["answered from memory", cached],
    ["of these expired, told since nobody answered", stale],
    ["passed on", forwarded],
    ["without an answer", failed],
    ["with addresses that were left out since they lead inside", blocked],
    ["refused since a client had too many waiting", crowded],
    ["answers in memory", forward.entries],
  ];
  return [
    table([
      ["UPSTREAM", "STATE", "ROUND TRIP", "ASKED", "FAILED"],
      ...forward.upstreams.map((each) => [
        each.upstream,
        stateText(each),
        each.roundTripMs === null ? "-" : `${each.roundTripMs} ms`,
        String(each.asked),
        String(each.failed),
      ]),
    ]),
    "",
    table(counts.map(([text, count]) => [String(count), text])),
  ].join("\n");
}

function stateText({ reached, asked, sinceMs, reason }: ForwardInfo["upstreams"][number]): string {
  if (asked === 0) return "not asked yet";
  if (reached) return "OK";
  const since = sinceMs === null ? "" : ` since ${new Date(sinceMs).toISOString().slice(0, 19)}Z`;
  return `not reached${since} (${reason ?? "no answer"})`;
}
