/** `quorate token`: what brings further machines into a cluster. The work is in run-token.ts, which is loaded when it is due. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Io } from '../io.ts'
import { type Duration, durationOption, example, show, wholeNumber } from './shared.ts'

export interface TokenCreateOptions {
  readonly genesis: string
  readonly key: string
  readonly role: 'voter' | 'observer'
  readonly ttl: Duration | 'never'
  readonly uses: number
  readonly peer?: string
  readonly carryGenesis?: true
  readonly out?: string
  readonly passphraseFile?: string
  readonly json?: boolean
}

const TTL_DEFAULT = '24h'

const NOTES = `
Made offline, where the issuer key is: no node is asked. The machine that is started with it (quorate up --token) comes in as a
learner; with role voter it is given a vote when it has caught up. Each use is an entry of the cluster's log, so that it counts
everywhere; the same machine may come again, a copy is refused. The token is as secret as a key until it is used up.

Its dates are looked at when a machine comes in, and never again: no member is put out by a clock. They are held to within 60 s,
because clocks are apart: a token may be used for so long after its end.`

const EXAMPLE = example('quorate token create --genesis plant-7/genesis.cose --key plant-7/issuer.key --role voter')

export function define(command: Command, io: Io): void {
  command.addHelpText('after', EXAMPLE)
  // Each subcommand has its own --json; the one that every command is given has nothing to answer here.
  command
    .command('create')
    .summary('make a join token')
    .description('Make a join token.')
    .requiredOption('--genesis <file>', 'the genesis of the cluster')
    .requiredOption('--key <file>', 'the issuer key that signed it')
    .addOption(new Option('--role <role>', 'what it grants').choices(['voter', 'observer']).makeOptionMandatory())
    .addOption(
      new Option('--ttl <duration>', 'how long it may be used, such as 12h or 7d, or never')
        .argParser(ttlOption)
        .default(ttlOption(TTL_DEFAULT), TTL_DEFAULT)
    )
    .option('--uses <n>', 'how many machines it is for', wholeNumber(1), 1)
    .option('--peer <peerid>', 'only this machine may use it (`quorate id` prints its PeerId)')
    .option('--carry-genesis', 'make it longer, so that the machine needs no peer to tell it the genesis')
    .option('--out <file>', 'write the token there (mode 0600) instead of showing it')
    .option('--passphrase-file <file>', 'the passphrase of the issuer key')
    .option('--json', 'machine-readable output')
    .addHelpText('after', `${NOTES}\n${EXAMPLE}`)
    .action(async (options: TokenCreateOptions) => {
      const { createJoinToken, tokenLines } = await import('../run-token.ts')
      const made = await createJoinToken(io, options)
      show(io, options.json, made, (style) => tokenLines(made, style))
    })
}

function ttlOption(text: string): Duration | 'never' {
  if (text === 'never') return text
  try {
    return durationOption(text)
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw new InvalidArgumentError(`${error.message} Or write never.`)
    throw error
  }
}
