/** `quorate promote`: a learner gets a vote. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { defineMemberChange } from './member-change.ts'

export const define = (command: Command, io: Io): void =>
  defineMemberChange(command, io, {
    what: 'the promotion of',
    done: 'promoted',
    change: 'promote',
    note: 'The learner must have caught up, and be connected to the leader. A machine that lost its disk is not promoted but replaced.'
  })
