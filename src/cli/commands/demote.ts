/** `quorate demote`: a voter goes on without its vote. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { defineMemberChange } from './member-change.ts'

export const define = (command: Command, io: Io): void =>
  defineMemberChange(command, io, {
    what: 'the demotion of',
    done: 'demoted',
    change: 'demote',
    note: 'It stays a learner: it receives log and config, and can be promoted again.'
  })
