/** `quorate transfer`: moves leadership on purpose, before the leader's machine is touched. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { ask, type AskOptions, askOptions, example, show } from './shared.ts'

export function define(command: Command, io: Io): void {
  askOptions(command)
    .argument('[peer]', 'PeerId of the voter that should lead; default: the most caught-up one')
    .addHelpText('after', example('quorate transfer --data node'))
    .action(async (to: string | undefined, options: AskOptions) => {
      const leader = await ask(io, options, 'the transfer', (client, limits) => client.transfer({ to, ...limits }))
      show(io, options.json, leader, () => [`leader is ${leader.peerId}, term ${leader.term}`])
    })
}
