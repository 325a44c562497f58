import { PleachError } from "../../protocol/error.ts";

/** What goes wrong between founding, inviting, joining and approving. */
export class MembershipError extends PleachError<
  | "E-MESH-MEMBER" // this node is in a mesh already
  | "E-MESH-NONE" // this node is in no mesh yet
  | "E-MESH-STATEMENT" // a statement would have no effect
  | "E-LEAVE" // this site cannot leave
  | "E-INVITE-UNKNOWN" // no such invitation is open here
  | "E-INVITE-MANY" // too many open invitations
  | "E-INVITE-ADDRESS" // nobody could reach this node
  | "E-INVITE-TTL" // an invitation cannot last so long
  | "E-APPLICATION-UNKNOWN" // no such application waits here
  | "E-JOIN-CODE" // the code does not open the mesh
  | "E-JOIN-BUSY" // too many wrong codes were tried
  | "E-JOIN-UNREACHABLE" // nobody answers at the addresses of the code
  | "E-JOIN-PEER" // the issuer said something that makes no sense
  | "E-JOIN-REFUSED" // the application was not taken, with the reason
  | "E-JOIN-NONE" // no application is under way
> {}
