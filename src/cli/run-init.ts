/** `quorate init`: the documents of a new cluster, made on any machine that may keep the issuer key. */
import { join } from 'node:path'
import { toHex, utf8 } from '../core/bytes.ts'
import { genesisWarnings, ISSUER_KEY_FILE, writePrivateFile } from '../identity/index.ts'
import { makeDirectory } from '../storage/make-directory.ts'
import { WouldOverwriteError } from './cli-errors.ts'
import { exists, makeCluster, writeIssuerKey } from './cluster-documents.ts'
import type { InitOptions, SettledSize } from './commands/init.ts'
import type { Io } from './io.ts'
import { newPassphrase } from './passphrase.ts'
import type { Style } from './view/style.ts'

export const GENESIS_FILE = 'genesis.cose'

export interface Made {
  readonly event: 'initialized'
  readonly name: string
  readonly mode: string
  readonly seats: number
  readonly domain: string
  readonly out: string
  readonly files: { readonly genesis: string; readonly issuerKey: string; readonly tokens: readonly string[] }
  readonly issuerKeyEncrypted: boolean
  readonly warnings: readonly string[]
}

export const tokenFile = (seat: number): string => `seat-${seat}.token`

export async function init(io: Io, options: InitOptions, size: SettledSize): Promise<Made> {
  const out = options.out ?? options.name
  const files = {
    genesis: join(out, GENESIS_FILE),
    issuerKey: join(out, ISSUER_KEY_FILE),
    tokens: size.mode === 'roster' ? [] : Array.from({ length: size.seats }, (_, i) => join(out, tokenFile(i + 1)))
  }
  const documents = await makeCluster(
    io,
    { ...size, name: options.name, config: options.config, schema: options.schema, timing: options.timing },
    { carryGenesis: true }
  )
  // Before the passphrase is asked for: nobody should type one for nothing.
  for (const path of [files.genesis, files.issuerKey, ...files.tokens]) {
    if (await exists(path)) throw new WouldOverwriteError(path)
  }
  const passphrase = options.plaintextKey === true ? undefined : await newPassphrase(io, options.passphraseFile)
  await makeDirectory(out)
  await writeIssuerKey(files.issuerKey, documents.issuer, passphrase)
  for (const [i, path] of files.tokens.entries()) await writePrivateFile(path, utf8(`${documents.tokens[i]!}\n`))
  // Last: where the genesis is, the rest is.
  await writePrivateFile(files.genesis, documents.genesis.bytes)
  return {
    event: 'initialized',
    name: options.name,
    mode: size.mode,
    seats: size.seats,
    domain: toHex(documents.genesis.domainId),
    out,
    files,
    issuerKeyEncrypted: passphrase !== undefined,
    warnings: genesisWarnings(documents.genesis.genesis)
  }
}

export function initLines(made: Made, style: Style): readonly string[] {
  const { files, seats, mode } = made
  const key = made.issuerKeyEncrypted ? 'encrypted; keep it offline' : 'NOT encrypted; keep it offline and to yourself'
  return [
    `${style.bold(made.name)}: ${seats} ${seats === 1 ? 'seat' : 'seats'}, mode ${mode}, domain ${made.domain}`,
    `  ${files.genesis}`,
    `  ${files.issuerKey}  ${style.dim(key)}`,
    ...files.tokens.map((path) => `  ${path}  ${style.dim('for one machine; secret until it is used')}`),
    ...made.warnings.map((warning) => style.yellow(`warning: ${warning}`)),
    ...(mode === 'roster' ? rosterNext(files.genesis) : tokensNext(files.tokens))
  ]
}

const tokensNext = (tokens: readonly string[]): readonly string[] => [
  'next: Carry each token to its machine and run there',
  `  $ quorate up --data node --token ${tokens[0] ?? tokenFile(1)}`
]

const rosterNext = (genesis: string): readonly string[] => [
  'next: Copy the genesis to each machine and run there, on the data directory of `quorate id`',
  `  $ quorate up --data node --genesis ${genesis}`
]
