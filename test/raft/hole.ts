/** Names a test after a row of the list of known holes in Raft implementations; docs/GUARANTEES.md says how the list is used. */
import { test } from 'vitest'

export const HOLES = 57

/** `sentence` says what holds here. */
export function hole(number: number, sentence: string, check: () => void | Promise<void>): void {
  test(`hole ${number}: ${sentence}`, check)
}
