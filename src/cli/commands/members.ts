/** `quorate members`: who votes, who is connected and who leads, as the node of a data directory sees it. */
import type { Command } from 'commander'
import type { MemberInfo } from '../../node/types.ts'
import type { Io } from '../io.ts'
import type { Style } from '../view/style.ts'
import { memberLines } from '../view/status-view.ts'
import { ask, type AskOptions, askOptions, example, show } from './shared.ts'
import { watch } from './watch.ts'

export function define(command: Command, io: Io): void {
  askOptions(command)
    .option('--watch', 'go on until the node stops; with --json one line for each change')
    .addHelpText('after', example('quorate members --data node'))
    .action(async (options: AskOptions & { readonly watch?: true }) => {
      if (options.watch === true) {
        return watch(io, options, {
          read: (client, signal) => client.members({ signal }),
          compare: (members) => members,
          lines
        })
      }
      const members = await ask(io, options, 'the members', (client, limits) => client.members(limits))
      show(io, options.json, members, (style) => lines(members, style))
    })
}

const lines = (members: readonly MemberInfo[], style: Style): readonly string[] =>
  members.length === 0 ? ['no members yet: the cluster is not founded'] : memberLines(members, style)
