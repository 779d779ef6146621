/**
 * How much a voter is wished to lead, as an operator says it: a number that the command, the hello and consensus share. What it
 * does is in src/raft/heirs.ts.
 */

/** Of a member that was given none. Room on both sides, as in RFC 5798. */
export const PRIORITY_DEFAULT = 100

export const PRIORITY_MAX = 1_000

/** Leads only when nobody else can, and hands over as soon as somebody else can. */
export const LAST_RESORT = 0
