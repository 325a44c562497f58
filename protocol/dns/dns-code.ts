/** Numbers in the head of a message: what is asked for, what came of it, and the classes. */

/** RFC 1035 section 4.1.1, RFC 1996, RFC 2136. */
export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5 } as const;

/** IANA registry "DNS RCODEs". Those above 15 have their upper bits in the OPT record. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** RFC 2136 section 2.2, and RFC 6672 section 2.2: a name that should not exist, or cannot. */
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  /** RFC 6891 section 9. */
  BADVERS: 16,
  /** RFC 7873 section 8. */
  BADCOOKIE: 23,
} as const;

/** RFC 1035 section 3.2.4, RFC 2136 section 2.4. */
export const CLASS = { IN: 1, CH: 3, NONE: 254, ANY: 255 } as const;

/** `NXDOMAIN`, or `RCODE11` for a code without a name here. */
export function formatRcode(rcode: number): string {
  return Object.entries(RCODE).find(([, code]) => code === rcode)?.[0] ?? `RCODE${rcode}`;
}
