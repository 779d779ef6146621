/** `quorate up`: its options and the rules between them. The work is in run-up.ts, which is loaded when it is due. */
import { type Command, Option } from 'commander'
import { type TimingPreset, timingPresets } from '../../config-init/index.ts'
import { PRIORITY_MAX } from '../../core/priority.ts'
import { UsageError } from '../cli-errors.ts'
import type { Io } from '../io.ts'
import { listenOption, seedOption } from '../addresses.ts'
import type { LogLevel } from '../log.ts'
import { DATA_OPTION, type Duration, durationOption, example, wholeNumber } from './shared.ts'

export interface UpOptions {
  readonly data: string
  readonly token?: string
  readonly genesis?: string
  readonly listen?: readonly string[]
  readonly seed?: readonly string[]
  readonly mdns: boolean
  readonly interface?: readonly string[]
  readonly timing?: TimingPreset
  readonly priority?: number
  readonly snapshotEvery?: number
  readonly deadline?: Duration
  readonly stopWithParent?: true
  readonly logLevel: LogLevel
  readonly json?: boolean
  readonly new?: true
  readonly name?: string
  readonly seats?: number
  readonly config?: string
  readonly schema?: string
  readonly passphraseFile?: string
  readonly plaintextKey?: true
}

const NOTES = `
The data directory keeps key, token, genesis and log: the next time \`quorate up --data DIR\` is enough.

The first SIGINT or SIGTERM hands leadership over and stops; the second ends the process at once. With --json stdout holds
events and nothing else, one JSON object a line; stderr holds logs, and when it fails the error once, {"error": ...}, as its last line.

--new keeps the issuer key as DIR/issuer.key, encrypted, when --passphrase-file or QUORATE_PASSPHRASE gives a passphrase
(in clear with --plaintext-key). Otherwise the key is thrown away once it has signed the genesis and the tokens.
`

const EXAMPLE = example(`quorate up --data node --token seat-1.token
quorate up --data node --token seat-1.token --no-mdns --listen /ip4/0.0.0.0/tcp/4001   (on 192.168.1.10)
quorate up --data node --token seat-2.token --no-mdns --seed 192.168.1.10:4001         (on the others)
quorate up --data node --new --name demo`)

export function define(command: Command, io: Io): void {
  command
    .requiredOption(DATA_OPTION, 'data directory; made when absent')
    .option(
      '--token <token>',
      'the token: a file, - for standard input, or its line, which `ps` shows to everybody here'
    )
    .option('--genesis <file>', 'the signed genesis, when the token only pins it, or in roster mode')
    .option(
      '--listen <address...>',
      'where to listen: multiaddr or IP:port (default: a free port of --interface, or of all IPv4 addresses)',
      listenOption
    )
    .option('--seed <address...>', 'where to look for peers: multiaddr or host:port', seedOption)
    .option('--no-mdns', 'do not look for peers by mDNS')
    .option(
      '--interface <name...>',
      'use only these networks, by name or address: mDNS, and without --listen also to listen (default: all)'
    )
    .addOption(new Option('--timing <preset>', "overrides the genesis' preset").choices(Object.keys(timingPresets)))
    .option(
      '--priority <n>',
      'of voters that could lead equally well, the highest does: 0 to 1000 (default: 100); 0 leads only when nobody else can',
      wholeNumber(0, PRIORITY_MAX)
    )
    .option(
      '--snapshot-every <n>',
      'save the state and cut the log after so many changes (default: 10000)',
      wholeNumber(1)
    )
    .option('--deadline <duration>', 'stop with exit code 4 when not ready by then', durationOption)
    .option('--stop-with-parent', 'stop when standard input closes: the node never outlives the process that holds it')
    .addOption(
      new Option('--log-level <level>', 'least severe log that is written')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('warn')
    )
    .optionsGroup('A new cluster, from its first machine:')
    .option('--new', 'make the genesis, take seat 1, print what to run for the other seats')
    .option('--name <name>', 'cluster name: 1 to 63 of a-z, 0-9 and inner hyphens')
    .option('--seats <n>', 'founding size; all of them must be there to found it (default: 3)', wholeNumber(1))
    .option('--config <file>', 'initial config, JSON')
    .option('--schema <file>', 'JSON Schema of the config')
    .option('--passphrase-file <file>', 'keep the issuer key, encrypted with the passphrase in this file')
    .option('--plaintext-key', 'keep the issuer key unencrypted')
    .addHelpText('after', NOTES + EXAMPLE)
    .action(async (options: UpOptions) => {
      checkTogether(options)
      const { up } = await import('../run-up.ts')
      await up(io, options)
    })
}

/** Rules between options; commander knows each of them alone. */
function checkTogether(options: UpOptions): void {
  const { name, seats, config, schema, plaintextKey, passphraseFile } = options
  const onlyNew = { name, seats, config, schema, 'plaintext-key': plaintextKey, 'passphrase-file': passphraseFile }
  if (options.new === undefined) {
    const stray = Object.entries(onlyNew).find(([, value]) => value !== undefined)?.[0]
    if (stray !== undefined)
      throw new UsageError(
        `--${stray} belongs to --new`,
        'An existing cluster has its name, size and config in the genesis.'
      )
  } else if (options.token !== undefined || options.genesis !== undefined) {
    throw new UsageError(
      '--new makes its own genesis and token',
      'Leave out --token and --genesis, or leave out --new.'
    )
  }
  if (plaintextKey !== undefined && passphraseFile !== undefined) {
    throw new UsageError('--plaintext-key and --passphrase-file exclude each other')
  }
  if (!options.mdns && options.interface !== undefined && options.listen !== undefined) {
    throw new UsageError(
      '--interface has nothing to say beside --no-mdns and --listen',
      'Leave out --interface: --listen says where the node listens, and mDNS is off.'
    )
  }
  if (options.stopWithParent === true && options.token === '-') {
    throw new UsageError('--token - and --stop-with-parent both need standard input', 'Pass the token as a file.')
  }
}
