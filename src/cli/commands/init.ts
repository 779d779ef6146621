/** `quorate init`: its options and the rules between them. The work is in run-init.ts, which is loaded when it is due. */
import { type Command, Option } from 'commander'
import { type TimingPreset, timingPresets } from '../../config-init/index.ts'
import { UsageError } from '../cli-errors.ts'
import type { Io } from '../io.ts'
import { example, gather, show, wholeNumber } from './shared.ts'

export interface InitOptions {
  readonly name: string
  readonly seats?: number
  readonly mode?: 'roster' | 'seats' | 'pool'
  readonly voter?: readonly string[]
  readonly config?: string
  readonly schema?: string
  readonly timing: TimingPreset
  readonly out?: string
  readonly plaintextKey?: true
  readonly passphraseFile?: string
  readonly json?: boolean
}

const NOTES = `
Writes DIR/genesis.cose, DIR/issuer.key and, in mode seats, DIR/seat-1.token and so on, each for its owner only (mode 0600).
Nothing is overwritten. Each token goes to one machine, and nowhere else. The issuer key stays offline: it signs further
tokens, and no node needs it. Its passphrase is asked for, or comes from --passphrase-file or QUORATE_PASSPHRASE.

Modes: seats, one token a machine; roster, the PeerIds are known beforehand (\`quorate id --data DIR\` prints one). Mode pool
is reserved.
`

export function define(command: Command, io: Io): void {
  command
    .requiredOption('--name <name>', 'cluster name: 1 to 63 of a-z, 0-9 and inner hyphens')
    .option('--seats <n>', 'founding size; all of them must be there to found the cluster', wholeNumber(1))
    .addOption(
      new Option('--mode <mode>', 'how founders prove themselves (default: seats)').choices(['seats', 'roster', 'pool'])
    )
    .option('--voter <peerid>', 'a founder, by seat; mode roster; repeat it', gather)
    .option('--config <file>', 'initial config, JSON (default: {})')
    .option('--schema <file>', 'JSON Schema that every config must satisfy')
    .addOption(new Option('--timing <preset>', 'timing preset').choices(Object.keys(timingPresets)).default('lan'))
    .option('--out <dir>', 'where the files go (default: a directory with the name of the cluster)')
    .option('--passphrase-file <file>', 'encrypt the issuer key with the passphrase in this file')
    .option('--plaintext-key', 'leave the issuer key unencrypted')
    .addHelpText('after', NOTES + example('quorate init --name plant-7 --seats 3 --config plant.json'))
    .action(async (options: InitOptions) => {
      const settled = settle(options)
      const { init, initLines } = await import('../run-init.ts')
      const made = await init(io, options, settled)
      show(io, options.json, made, (style) => initLines(made, style))
    })
}

/** Mode and size, from each other where one is left out. */
export interface SettledSize {
  readonly mode: 'roster' | 'seats' | 'pool'
  readonly seats: number
  readonly voters: readonly string[]
}

function settle({ mode: wanted, seats, voter: voters = [], plaintextKey, passphraseFile }: InitOptions): SettledSize {
  if (plaintextKey !== undefined && passphraseFile !== undefined) {
    throw new UsageError('--plaintext-key and --passphrase-file exclude each other')
  }
  const mode = wanted ?? (voters.length > 0 ? 'roster' : 'seats')
  if (mode === 'roster') {
    if (voters.length === 0) {
      throw new UsageError(
        'mode roster needs a --voter for each seat',
        'Run `quorate id --data DIR` on each machine; it prints a PeerId.'
      )
    }
    if (seats !== undefined && seats !== voters.length) {
      throw new UsageError(`--seats ${seats}, but ${voters.length} times --voter`)
    }
    return { mode, seats: voters.length, voters }
  }
  if (voters.length > 0) throw new UsageError(`--voter is for mode roster, not for mode ${mode}`)
  if (seats === undefined)
    throw new UsageError('--seats is missing', 'Three seats survive the loss of one machine, five of two.')
  return { mode, seats, voters }
}
