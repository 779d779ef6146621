/**
 * What two boot statements of one store prove together. An honest store's statements, in the order of (boot, sequence), only ever
 * add: terms rise, a vote of a term stays, what had committed stays, and a boot is lived once. So any pair that breaks this was
 * signed by a key whose disk was set back or copied, or that was stolen; in each case its votes cannot be trusted.
 */
import type { BootStatement } from './boot-statement.ts'

export interface BootContradiction {
  /** `two-lives`: both cannot come from one process. `set-back`: the later one has forgotten what the earlier one knew. */
  readonly kind: 'two-lives' | 'set-back'
  /** What is wrong, in words that go on after the name of the incarnation: «shows …». */
  readonly reason: string
}

/** Undefined when an intact store can have said both. Statements of different stores contradict each other in nothing. */
export function contradictionOf(a: BootStatement, b: BootStatement): BootContradiction | undefined {
  if (a.peerId !== b.peerId || a.storeId !== b.storeId || a.id === b.id) return undefined
  const [older, newer] = isNewer(a, b) ? [b, a] : [a, b]
  return twoLives(older, newer) ?? setBack(older, newer)
}

/** Comes later in the order that a store's statements have. */
export const isNewer = (
  a: Pick<BootStatement, 'boot' | 'sequence'>,
  b: Pick<BootStatement, 'boot' | 'sequence'>
): boolean => a.boot > b.boot || (a.boot === b.boot && a.sequence > b.sequence)

/** The same process life. */
export const isSameLife = (
  a: Pick<BootStatement, 'boot' | 'bootNonce'>,
  b: Pick<BootStatement, 'boot' | 'bootNonce'>
): boolean => a.boot === b.boot && a.bootNonce === b.bootNonce

/** `boot 7 (nonce 3f…)`, for people. */
export const lifeText = ({ boot, bootNonce }: Pick<BootStatement, 'boot' | 'bootNonce'>): string =>
  `boot ${boot} (nonce ${bootNonce.slice(0, 8)})`

function twoLives(older: BootStatement, newer: BootStatement): BootContradiction | undefined {
  if (older.boot === newer.boot && older.bootNonce !== newer.bootNonce) {
    return {
      kind: 'two-lives',
      reason: `was started twice from one disk, as ${lifeText(older)} and ${lifeText(newer)}`
    }
  }
  if (isSameLife(older, newer) && older.sequence === newer.sequence) {
    return { kind: 'two-lives', reason: `said two things as statement ${older.sequence} of ${lifeText(older)}` }
  }
  if (older.seen === newer.id) {
    return { kind: 'two-lives', reason: `goes on in ${lifeText(older)} after ${lifeText(newer)} had begun` }
  }
  return undefined
}

function setBack(older: BootStatement, newer: BootStatement): BootContradiction | undefined {
  const is = (what: string): BootContradiction => ({
    kind: 'set-back',
    reason: `had ${what} in ${lifeText(older)}, and not in ${lifeText(newer)}`
  })
  if (newer.term < older.term) return is(`reached term ${older.term} (now ${newer.term})`)
  if (newer.term === older.term && older.votedFor !== undefined && newer.votedFor !== older.votedFor) {
    return is(`voted for ${older.votedFor} in term ${older.term} (now ${newer.votedFor ?? 'nobody'})`)
  }
  if (newer.lastIndex < older.commitIndex) {
    return is(`committed entry ${older.commitIndex} (its log ends at ${newer.lastIndex} now)`)
  }
  return undefined
}
