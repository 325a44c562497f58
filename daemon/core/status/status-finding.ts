/** What a look at one area of the node finds: a verdict in words, and what needs a person. */

export type AreaState = "NONE" | "OK" | "WARNING" | "CRITICAL";

export interface Area {
  readonly name: string;
  readonly state: AreaState;
  readonly text: string;
}

export interface Todo {
  readonly text: string;
  /** The command to start with. */
  readonly command: string;
}

export interface Finding {
  readonly area: Area;
  readonly todo: readonly Todo[];
}

/** For example `1 set`, `3 sets`. */
export function plural(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}
