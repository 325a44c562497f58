/** Tells the daemon where the copies of a data set may lie, as the configuration says. */
import type { BackupConfig } from "../../config/config.ts";
import { setRulesAnswerShape, type SetRules } from "../../control/shapes-backup.ts";
import type { SetId } from "../../../protocol/ids.ts";
import type { CliContext } from "../shell/context.ts";

/**
 * Before anything of a run is published: nothing may go where it must not.
 *
 * @returns Named holders that are no members; a person is told of each.
 */
export async function tellRules(
  context: CliContext,
  set: SetId,
  { rules }: BackupConfig,
): Promise<readonly string[]> {
  const { allow, deny, holders, local } = rules;
  const body: SetRules = {
    ...{ allow: [...allow], deny: [...deny], local },
    holders: holders === null ? null : [...holders],
  };
  const path = `/v1/backup/sets/${set}/rules`;
  const { unknown } = await context.client.put(path, body, setRulesAnswerShape);
  for (const word of unknown) context.out.note(`No member is called "${word}".`);
  return unknown;
}
