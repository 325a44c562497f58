/**
 * What an authority says, as one text, for comparing two.
 */
import type { Authority } from "../../daemon/core/authority/authority.ts";

/** All that can have an effect. Proposals, forks of chains and reasons are told to people only. */
export function effectOf(authority: Authority): string {
  const { proposals: _, idle: __, forks: ___, ...rest } = authority;
  return tell(rest);
}

export function toldBy(authority: Authority): string {
  return tell({ ...authority });
}

function tell(facts: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(facts, (_, value: unknown) =>
    value instanceof Map || value instanceof Set
      ? [...(value as Iterable<unknown>)].map((item) => tell({ item })).toSorted()
      : value instanceof Uint8Array
        ? [...value]
        : value,
  );
}
