/** `pleach config check`: the example of a command; needs no daemon. */
import { Command } from "commander";
import { help, type CliContext } from "./context.ts";

export function configCommand(context: CliContext): Command {
  const config = help(new Command("config"), "The configuration of this node.", [
    ["pleach config check", "is the configuration sound?"],
    ["pleach --config ./new.toml config check", "is this one?"],
  ]);
  const check = new Command("check").action(() => {
    const { file, site, data, backups, services } = context.config;
    const parts = [
      site === undefined ? "no site name" : `site ${site}`,
      `${backups.length} data sets`,
      `${services.length} services`,
    ];
    context.out.result(
      { file, site: site ?? null, data, sets: backups.length, services: services.length },
      `${file} is sound: ${parts.join(", ")}.`,
    );
  });
  config.addCommand(
    help(check, "Reads the configuration and says what is wrong, with the line.", [
      ["pleach config check", "exit 0 when it is sound, 2 when not"],
    ]),
  );
  return config;
}
