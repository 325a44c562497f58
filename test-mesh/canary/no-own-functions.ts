/** Stands for `daemon/backup/client/own-functions.ts`, as in a Node that does not show what is in it. */
import type * as real from "../../daemon/backup/client/own-functions.ts";

export const ownFunctions: typeof real.ownFunctions = () => undefined;
