/** `quorate transfer`: moves leadership on purpose, before the leader's machine is touched. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { foundedStatus, PEER_TEXTS, resolvePeer } from './members-of.ts'
import { ask, type AskOptions, askOptions, example, show } from './shared.ts'

export function define(command: Command, io: Io): void {
  askOptions(command)
    .argument('[peer]', `the voter that should lead: ${PEER_TEXTS}; default: the most caught-up one`)
    .addHelpText('after', example('quorate transfer --data node\nquorate transfer --data node 2'))
    .action(async (peer: string | undefined, options: AskOptions) => {
      const { members } = await foundedStatus(io, options)
      const to = peer === undefined ? undefined : resolvePeer(members, peer)
      const leader = await ask(io, options, 'the transfer', (client, limits) => client.transfer({ to, ...limits }))
      show(io, options.json, leader, () => [`leader is ${leader.peerId}, term ${leader.term}`])
    })
}
