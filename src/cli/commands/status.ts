/** `quorate status`: what the node of a data directory is doing, and what it waits for. */
import type { Command } from 'commander'
import type { NodeStatus } from '../../node/types.ts'
import type { Io } from '../io.ts'
import { withDataDir } from '../shell-words.ts'
import { statusLines } from '../view/status-view.ts'
import { ask, type AskOptions, askOptions, example, show } from './shared.ts'
import { watch } from './watch.ts'

/** As they can be pasted here. */
const withCommands = (status: NodeStatus, dataDir: string): NodeStatus => ({
  ...status,
  waitingFor: status.waitingFor.map((sentence) => withDataDir(sentence, dataDir)),
  advice: status.advice.map((sentence) => withDataDir(sentence, dataDir))
})

export function define(command: Command, io: Io): void {
  askOptions(command)
    .option('--watch', 'go on until the node stops; with --json one line for each change')
    .addHelpText('after', example('quorate status --data node\nquorate status --data node --json --watch'))
    .action(async (options: AskOptions & { readonly watch?: true }) => {
      if (options.watch === true) {
        return watch(io, options, {
          read: async (client, signal) => withCommands(await client.status({ signal }), options.data),
          // Time passes without anything having changed.
          compare: (status) => ({ ...status, uptimeMs: 0 }),
          lines: statusLines
        })
      }
      const answer = await ask(io, options, 'the status', (client, limits) => client.status(limits))
      const status = withCommands(answer, options.data)
      show(io, options.json, status, (style) => statusLines(status, style))
    })
}
