/** What goes wrong in the inventory on purpose. */
import { PleachError } from "../../protocol/error.ts";

export class InventoryError extends PleachError<
  | "E-SERVICE-TAKEN" // this site already has a service of this name
  | "E-SERVICE-UNKNOWN" // this site has no service of this name
  | "E-SERVICE-SITE" // no site has this name, or it is no member any more
  | "E-SERVICE-RIGHT" // this site may not mark services or set their policies
  | "E-SERVICE-FALLBACK" // a name that cannot stand in for the service
  | "E-SERVICE-CONFIG" // the configuration declares it, so no command changes it
  | "E-FACTS-FILE" // the file of collected facts cannot be written or read
> {}
