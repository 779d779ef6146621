/** `quorate leave`: a node gives up its membership in order, before its machine is taken away. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { foundedStatus } from './members-of.ts'
import { ask, type AskOptions, askOptions, example, show } from './shared.ts'

export function define(command: Command, io: Io): void {
  askOptions(command)
    .addHelpText(
      'after',
      `
The cluster commits the removal of this node, then the node stops. It is refused when the cluster would lose its quorum.
${example('quorate leave --data node')}`
    )
    .action(async (options: AskOptions) => {
      await foundedStatus(io, options)
      await ask(io, options, 'leaving', (client, limits) => client.leave(limits))
      show(io, options.json, { left: true }, () => ['left the cluster; the node has stopped'])
    })
}
