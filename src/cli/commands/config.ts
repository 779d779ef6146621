/**
 * `quorate config`: the replicated config as the node of a data directory has it, and changes to it through any node.
 *
 * For people, what the schema marks as secret is hidden unless they ask for it; `--json` is for programs and hides nothing.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { JsonValue } from '../../core/json.ts'
import { NotFormedError, UnreadableFileError } from '../cli-errors.ts'
import type { Io } from '../io.ts'
import { readJsonArgument } from '../sources.ts'
import { configLines, historyLines } from '../view/config-view.ts'
import { shortHash } from '../view/text.ts'
import { foundedStatus } from './members-of.ts'
import { ask, type AskOptions, askOptions, example, show, wholeNumber } from './shared.ts'

interface SetOptions extends AskOptions {
  readonly ifVersion?: number
  readonly reason?: string
}

export function define(command: Command, io: Io): void {
  defineGet(command.command('get').description('Print the config that this node has applied.'), io)
  defineSet(command.command('set').description('Replace the config; done when a majority has it on disk.'), io)
  defineHistory(command.command('history').description('Print who changed the config when and why, newest first.'), io)
  command.addHelpText('after', example('quorate config get --data node --json'))
}

function defineGet(command: Command, io: Io): void {
  askOptions(command)
    .option('--json', 'one line: {"version", "hash", "value"}, secrets included')
    .option('--secrets', 'show the values that the schema marks as secret (x-secret)')
    .addHelpText('after', example('quorate config get --data node --json'))
    .action(async (options: AskOptions & { readonly secrets?: true }) => {
      const config = await ask(io, options, 'the config', async (client, limits) => {
        const applied = await client.config(limits)
        if (applied !== undefined) return applied
        const { cluster, stage, waitingFor } = await client.status(limits)
        throw new NotFormedError(cluster === null ? 'cluster' : 'config', stage, waitingFor)
      })
      const hide = options.json !== true && options.secrets !== true
      const shown = hide ? { ...config, value: await withoutSecrets(options.data, config.value) } : config
      show(io, options.json, shown, (style) => configLines(shown, style))
    })
}

/** The schema is in the genesis, which the node keeps beside its socket. */
async function withoutSecrets(dataDir: string, value: JsonValue): Promise<JsonValue> {
  const { decodeGenesis } = await import('../../identity/genesis.ts')
  const { redactSecrets } = await import('../../replicated-config/secrets.ts')
  const { schema } = decodeGenesis(await readGenesisOf(dataDir)).genesis
  return schema === undefined ? value : redactSecrets(JSON.parse(schema) as JsonValue, value)
}

async function readGenesisOf(dataDir: string): Promise<Uint8Array> {
  const path = join(dataDir, 'genesis.cose')
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    throw new UnreadableFileError(path, 'which values are secret from', error as NodeJS.ErrnoException)
  }
}

function defineSet(command: Command, io: Io): void {
  askOptions(command)
    .argument('<file>', 'the new config, JSON: a file, - for standard input, or the text itself')
    .option('--if-version <n>', 'refuse when the config is not at this version', wholeNumber(0))
    .option('--reason <text>', 'kept in the history')
    .option('--json', 'one line: {"version", "hash", "value"}')
    .addHelpText('after', example(`quorate config set --data node plant.json --if-version 4 --reason 'raise limit'`))
    .action(async (argument: string, options: SetOptions) => {
      const value = await readJsonArgument(io, argument)
      const { ifVersion, reason } = options
      await foundedStatus(io, options)
      const config = await ask(io, options, 'the change', (client, limits) =>
        client.setConfig(value, { ...limits, ifVersion, reason })
      )
      show(io, options.json, config, () => [`config is at version ${config.version}  ${shortHash(config.hash)}`])
    })
}

function defineHistory(command: Command, io: Io): void {
  askOptions(command)
    .option('--json', 'a JSON array, oldest first')
    .addHelpText('after', example('quorate config history --data node'))
    .action(async (options: AskOptions) => {
      const history = await ask(io, options, 'the history', (client, limits) => client.history(limits))
      show(io, options.json, history, (style) => historyLines(history, style))
    })
}
