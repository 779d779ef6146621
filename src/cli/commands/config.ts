/**
 * `quorate config`: the replicated config as the node of a data directory has it, and changes to it through any node.
 *
 * What the schema marks as secret is hidden in every answer until somebody asks for it (config-veil.ts).
 */
import type { Command } from 'commander'
import type { JsonValue } from '../../core/json.ts'
import { NotFormedError } from '../cli-errors.ts'
import { configVeil } from '../config-veil.ts'
import type { Io } from '../io.ts'
import { readJsonArgument } from '../sources.ts'
import { configLines, historyLines } from '../view/config-view.ts'
import { shortHash } from '../view/text.ts'
import { defineWatch } from './config-watch.ts'
import { foundedStatus } from './members-of.ts'
import { ask, type AskOptions, askOptions, example, SECRETS_OPTION, show, wholeNumber } from './shared.ts'

interface ShowOptions extends AskOptions {
  readonly secrets?: true
}

interface SetOptions extends ShowOptions {
  readonly ifVersion?: number
  readonly reason?: string
}

export function define(command: Command, io: Io): void {
  defineGet(command.command('get').description('Print the config that this node has applied.'), io)
  defineSet(command.command('set').description('Replace the config; done when a majority has it on disk.'), io)
  defineHistory(command.command('history').description('Print who changed the config when and why, newest first.'), io)
  defineWatch(command.command('watch').description('Print the config now, and again whenever it changes.'), io)
  command.addHelpText('after', example('quorate config get --data node --json'))
}

function defineGet(command: Command, io: Io): void {
  askOptions(command)
    .option('--json', 'one line: {"version", "hash", "value"}')
    .option(...SECRETS_OPTION)
    .addHelpText('after', example('quorate config get --data node --json'))
    .action(async (options: ShowOptions) => {
      const config = await ask(io, options, 'the config', async (client, limits) => {
        const applied = await client.config(limits)
        if (applied !== undefined) return applied
        const { cluster, stage, waitingFor } = await client.status(limits)
        throw new NotFormedError(cluster === null ? 'cluster' : 'config', stage, waitingFor)
      })
      const shown = await veiled(options, config)
      show(io, options.json, shown, (style) => configLines(shown, style))
    })
}

/** As it is shown. */
async function veiled<T extends { readonly value: JsonValue }>(options: ShowOptions, config: T): Promise<T> {
  if (options.secrets === true) return config
  const { hide } = await configVeil(options.data)
  return { ...config, value: hide(config.value) }
}

function defineSet(command: Command, io: Io): void {
  askOptions(command)
    .argument('<file>', 'the new config, JSON: a file, - for standard input, or the text itself')
    .option('--if-version <n>', 'refuse when the config is not at this version', wholeNumber(0))
    .option('--reason <text>', 'kept in the history')
    .option('--json', 'one line: {"version", "hash", "value"}')
    .option(...SECRETS_OPTION)
    .addHelpText('after', example(`quorate config set --data node plant.json --if-version 4 --reason 'raise limit'`))
    .action(async (argument: string, options: SetOptions) => {
      const value = await readJsonArgument(io, argument)
      const { ifVersion, reason } = options
      await foundedStatus(io, options)
      const { requireOpen } = await configVeil(options.data)
      requireOpen(value)
      const config = await ask(io, options, 'the change', (client, limits) =>
        client.setConfig(value, { ...limits, ifVersion, reason })
      )
      show(io, options.json, await veiled(options, config), () => [
        `config is at version ${config.version}  ${shortHash(config.hash)}`
      ])
    })
}

function defineHistory(command: Command, io: Io): void {
  askOptions(command)
    .option('--json', 'a JSON array, oldest first')
    .option(...SECRETS_OPTION)
    .addHelpText('after', example('quorate config history --data node'))
    .action(async (options: ShowOptions) => {
      const history = await ask(io, options, 'the history', (client, limits) => client.history(limits))
      const shown = options.json === true ? await Promise.all(history.map((entry) => veiled(options, entry))) : history
      show(io, options.json, shown, (style) => historyLines(shown, style))
    })
}
