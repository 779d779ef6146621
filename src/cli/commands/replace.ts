/** `quorate replace`: a new disk, or another machine, takes the vote of one that is gone, in one joint change. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { changeMembers, PEER_HELP, REFUSED_NOTE } from './member-change.ts'
import { foundedStatus, resolvePeer } from './members-of.ts'
import { type AskOptions, askOptions, example } from './shared.ts'

export function define(command: Command, io: Io): void {
  askOptions(command)
    .argument('<old>', `the voter that goes: ${PEER_HELP}`)
    .argument(
      '[new]',
      'the learner that takes its vote; default: the new disk of the same PeerId; a voter already: <old> just goes'
    )
    .addHelpText(
      'after',
      `
A machine that lost its disk comes back as a learner by itself, while its old disk counts as a voter that has failed.
This gives the new disk its vote.${REFUSED_NOTE}
${example('quorate replace --data node PEER\nquorate replace --data node OLD NEW')}`
    )
    .action(async (oldText: string, byText: string | undefined, options: AskOptions) => {
      const { members } = await foundedStatus(io, options)
      const old = resolvePeer(members, oldText)
      const by = byText === undefined ? undefined : resolvePeer(members, byText)
      await changeMembers(
        io,
        options,
        `the replacement of ${old}`,
        { replaced: old, by: by ?? old },
        `replaced ${old}${by === undefined ? ' by its new disk' : ` by ${by}`}`,
        (client, limits) => client.replace(old, { by, ...limits })
      )
    })
}
