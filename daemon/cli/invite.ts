/** `pleach invite`: a one-time code for a machine that wants to join. */
import { Command } from "commander";
import { renderUnicodeCompact } from "uqr";
import { parseDuration } from "../config/quantities.ts";
import { invitationShape } from "../control/shapes-membership.ts";
import { help, type CliContext } from "./context.ts";
import { UsageError } from "./exit.ts";

export function inviteCommand(context: CliContext): Command {
  const command = new Command("invite")
    .option("--ttl <time>", "how long it can be used", "24h")
    .action(async ({ ttl }: { readonly ttl: string }) => {
      const ttlMs = parseDuration(ttl);
      if (ttlMs === undefined)
        throw new UsageError('--ttl takes a time such as "24h" or "2 days".');
      const invitation = await context.client.post(
        "/v1/membership/invitations",
        { ttlMs },
        invitationShape,
      );
      const { code, expiresAtMs, addresses } = invitation;
      // Capital letters and digits are what the compact mode of QR codes takes.
      context.out.note(renderUnicodeCompact(code.toUpperCase(), { ecc: "L" }));
      context.out.note(
        `Good once, until ${localTime(expiresAtMs)}, at ${addresses.join(", ")}.\n` +
          "On the other machine:  pleach join CODE --site NAME\n" +
          "It shows six words. Have them read out to you on the telephone, then here:\n" +
          '  pleach approve "SIX WORDS" --operator-key FILE\n',
      );
      context.out.result({ code, expiresAtMs, addresses }, code);
    });
  return help(command, "Makes a code that lets one machine ask to join. It admits nobody alone.", [
    ["pleach invite", "a code for the next 24 hours"],
    ["pleach invite --ttl 1h", "for one hour"],
  ]);
}

/** Such as 2031-04-01 18:30, by the clock on the wall: the Swedish way to write it is ISO 8601. */
function localTime(atMs: number): string {
  return new Date(atMs).toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "short" });
}
