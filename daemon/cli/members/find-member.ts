/** The site or the operator that a person names on the command line. */
import type { OperatorId, SiteId } from "../../../protocol/ids.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import type { MeshKnowledge } from "./mesh-knowledge.ts";

export interface Member {
  readonly kind: "site" | "operator";
  readonly key: SiteId | OperatorId;
  readonly name: string;
}

/** Operators are often called like the site that they founded. */
export interface KindOptions {
  readonly site?: boolean;
  readonly operator?: boolean;
}

/**
 * By name, or by 8 or more digits of the key.
 *
 * @param options - Which of both is meant, where a site and an operator have one name.
 * @throws CommandError E-UNKNOWN, UsageError when it could be either.
 */
export function findMember(mesh: MeshKnowledge, text: string, options: KindOptions): Member {
  const { sites, operators } = mesh.authority;
  const all: readonly Member[] = [
    ...[...sites].map(([key, { name }]) => ({ kind: "site" as const, key, name })),
    ...[...operators].map(([key, { name }]) => ({ kind: "operator" as const, key, name })),
  ];
  const either = options.site === options.operator;
  const wanted = all.filter(({ kind }) => either || options[kind] === true);
  const found = wanted.filter(({ name }) => name === text);
  const matching = found.length > 0 ? found : wanted.filter(({ key }) => startsWith(key, text));
  const [first, another] = matching;
  if (first === undefined) {
    const ended = [...mesh.authority.endedSites.values()].some(({ name }) => name === text);
    const why = ended ? `${text} is no member any more.` : `Nobody here is called "${text}".`;
    throw new CommandError("E-UNKNOWN", why, {
      hint: "Look:  pleach peers   and   pleach operators",
    });
  }
  if (another === undefined) return first;
  if (matching.every(({ kind }) => kind === first.kind)) {
    const keys = matching.map(({ key }) => key.slice(0, 16)).join(", ");
    throw new UsageError(`Several ${first.kind}s are called "${text}".`, `Give a key: ${keys}.`);
  }
  throw new UsageError(
    `"${text}" is a site and an operator.`,
    "Add --site or --operator to say which of both is meant.",
  );
}

function startsWith(key: string, text: string): boolean {
  return /^[0-9a-f]{8,64}$/.test(text) && key.startsWith(text);
}
