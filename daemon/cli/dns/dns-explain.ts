/** `pleach dns explain`: what the answer is, which record gives it, and who wrote it. */
import { isIP } from "node:net";
import { Command } from "commander";
import { explanationShape, type ExplanationInfo } from "../../control/shapes-dns.ts";
import { help, type CliContext } from "../shell/context.ts";
import { askDns, type DnsServerAddress } from "./dns-query.ts";
import { answerLines, originText } from "./dns-text.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import { table } from "../shell/output.ts";
import { formatTime } from "../shell/quantities.ts";
import { placeText } from "./place-options.ts";

interface ExplainOptions {
  readonly view?: string;
  readonly from?: string;
  readonly ask?: string | true;
}

export function explainCommand(context: CliContext): Command {
  const explain = new Command("explain")
    .argument("<name>")
    .argument("[type]", "default A")
    .option("--view <view>", "who asks: public (default), mesh or lan (this site's)")
    .option("--from <address>", "who asks, by address: also says which view that sees")
    .option("--ask [server]", "ask over the network, too: this node, or ADDRESS[:PORT]")
    .action(async (name: string, type: string | undefined, options: ExplainOptions) => {
      const { view, from } = options;
      if (view !== undefined && from !== undefined) {
        throw new UsageError("--view and --from both say who asks; take one of them.");
      }
      const query = new URLSearchParams({
        name,
        type: type ?? "A",
        ...(view === undefined ? {} : { view }),
        ...(from === undefined ? {} : { from }),
      });
      const found = await context.client.get(
        `/v1/dns/explain?${query.toString()}`,
        explanationShape,
      );
      if (options.ask === undefined) {
        context.out.result(found, () => explanationText(found).join("\n"));
        return;
      }
      const server =
        options.ask === true ? (found.listening[0] ?? nowhere()) : parseServer(options.ask);
      const answer = answerLines(await askDns(server, found.name, found.type));
      context.out.result({ ...found, asked: { server, answer } }, () =>
        [
          ...explanationText(found),
          "",
          `${server.address} port ${server.port} answers:`,
          ...answer.map((line) => `  ${line}`),
        ].join("\n"),
      );
    });
  return help(explain, "Says what the answer is, which record gives it, and who wrote it.", [
    ["pleach dns explain www.mesh.example", "the addresses"],
    ["pleach dns explain www.mesh.example --from 192.168.1.7", "what does that machine get?"],
    ["pleach dns explain mesh.example MX --ask 192.0.2.53", "and what that server says"],
  ]);
}

function explanationText(found: ExplanationInfo): string[] {
  const zone =
    found.zone === null
      ? "no zone"
      : `zone ${found.zone}, serial ${found.serial}, view ${found.view}`;
  const rows = found.records.map((each) => [
    `  ${each.section}`,
    each.name,
    String(each.ttl),
    each.type,
    each.data,
    placeText(each.view, each.viewSite),
    authorText(each),
  ]);
  const others = found.others.map(({ view, rcode, answer, same }) => [
    `  ${view}:`,
    same ? "the same" : [rcode, ...answer].join(", "),
  ]);
  return [
    `${found.name} ${found.type}: ${found.rcode} (${zone})`,
    ...found.why.map((line) => `  ${line}`),
    ...(rows.length === 0 ? [] : ["", table(rows)]),
    "",
    "In other views:",
    table(others),
  ];
}

/** Who wrote it, and when that was by his own clock, which nobody vouches for. */
function authorText(record: ExplanationInfo["records"][number]): string {
  const { writtenAtMs } = record;
  if (writtenAtMs === null) return originText(record);
  return `${originText(record)}, written ${formatTime(writtenAtMs)} by the clock there`;
}

function nowhere(): never {
  throw new CommandError("E-DNS-ASK", "This node answers DNS nowhere.", {
    hint: 'Set it in the configuration:  [dns] listen = ["192.0.2.14:53"]',
  });
}

/** @throws UsageError for anything but ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT. */
export function parseServer(text: string): DnsServerAddress {
  const [, bracketed, plain, port] =
    /^(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const address = bracketed ?? plain ?? text;
  if (isIP(address) === 0 || Number(port ?? 53) > 65_535 || Number(port ?? 53) < 1) {
    throw new UsageError(
      `"${text}" is not an address such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53.`,
    );
  }
  return { address, port: Number(port ?? 53) };
}
