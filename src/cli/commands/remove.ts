/** `quorate remove`: a membership ends. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { defineMemberChange } from './member-change.ts'

export const define = (command: Command, io: Io): void =>
  defineMemberChange(command, io, {
    what: 'the removal of',
    done: 'removed',
    change: 'remove',
    note: 'It is for good: the removed member stops campaigning, is not heard any more, and comes back only with an empty data directory.'
  })
