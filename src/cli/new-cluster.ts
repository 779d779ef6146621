/**
 * `quorate up --new`: the documents of a new cluster, made in the data directory of its first node.
 *
 * They are written into a folder of their own that gets its name last, in one step: after a crash there are all of them or none,
 * and the same command goes on with what there is, so that running it again can never make a second cluster. The tokens of the
 * other seats are kept, for their owner only, until the cluster is founded; then nobody can need them and they are removed.
 */
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fromUtf8, utf8 } from '../core/bytes.ts'
import { QuorateError } from '../core/errors.ts'
import { ISSUER_KEY_FILE, readGenesis, Secret, type VerifiedGenesis, writePrivateFile } from '../identity/index.ts'
import { dataFiles } from '../storage/data-dir.ts'
import { makeDirectory } from '../storage/make-directory.ts'
import { UsageError, WouldOverwriteError } from './cli-errors.ts'
import { type ClusterDocuments, exists, makeCluster, writeIssuerKey } from './cluster-documents.ts'
import type { UpOptions } from './commands/up.ts'
import type { Io } from './io.ts'
import { givenPassphrase } from './passphrase.ts'
import { GENESIS_FILE, tokenFile } from './run-init.ts'
import { shellWord } from './shell-words.ts'

const FOLDER = 'new-cluster'
const SEATS_DEFAULT = 3

export interface NewCluster {
  readonly name: string
  readonly seats: number
  /** Nobody said how many seats there should be. */
  readonly seatsByDefault: boolean
  /** The documents were there already. */
  readonly continued: boolean
  readonly issuerKey: 'encrypted' | 'plaintext' | 'thrown-away' | 'as-before'
  readonly genesis: Uint8Array
  /** Undefined when the cluster was founded in an earlier run. */
  readonly ownToken: string | undefined
  /** What to run on the other machines; none when the cluster was founded in an earlier run. */
  invitations(seedAddresses: readonly string[]): readonly Invitation[]
}

export interface Invitation {
  readonly seat: number
  /** Secret: for the eyes of whoever sits at a terminal, and for no log. */
  readonly token: Secret
  /** Holds the token until the cluster is founded. */
  readonly file: string
  /** Right to paste on this machine, in this directory; elsewhere with the name that the token file has there. */
  readonly command: string
}

/** The data directory was made for another cluster than the options say. */
class NewClusterMismatchError extends QuorateError {
  constructor(option: string, given: unknown, present: unknown, dataDir: string) {
    super(
      'NewClusterMismatchError',
      'ERR_NEW_CLUSTER_MISMATCH',
      `${dataDir} was made with --${option} ${String(present)}, not ${String(given)}`,
      {
        details: { option, given, present, dataDir },
        nextStep: `Use another --data for another cluster, or go on with this one: quorate up --new --data ${dataDir}`
      }
    )
  }
}

export async function newCluster(io: Io, options: UpOptions): Promise<NewCluster> {
  const folder = join(options.data, FOLDER)
  const present = await readFolder(folder)
  if (present !== undefined) return goOn(options, present)
  await requireUnused(options.data)
  const { name, seats = SEATS_DEFAULT, config, schema, timing = 'lan' } = options
  if (name === undefined) {
    throw new UsageError(
      '--new needs --name',
      `For example: quorate up --new --name demo --data ${shellWord(options.data)}`
    )
  }
  const init = { name, seats, mode: 'seats', voters: [], config, schema, timing } as const
  const passphrase = await givenPassphrase(io, options.passphraseFile)
  const documents = await makeCluster(io, init, { carryGenesis: false })
  const draft = await writeDraft(options, documents, passphrase)
  try {
    await rename(draft, folder)
  } catch (error) {
    // The same command ran beside this one and was first: its cluster is the one.
    await rm(draft, { recursive: true, force: true })
    const other = await readFolder(folder)
    if (other === undefined) throw error
    return goOn(options, other)
  }
  await placeIssuerKey(options.data)
  const kept = options.plaintextKey === true ? 'plaintext' : 'thrown-away'
  return describe(options, documents, false, passphrase === undefined ? kept : 'encrypted')
}

type Documents = Pick<ClusterDocuments, 'genesis' | 'tokens'>

async function goOn(options: UpOptions, present: Documents): Promise<NewCluster> {
  requireSame(options, present.genesis)
  await placeIssuerKey(options.data)
  return describe(options, present, true, 'as-before')
}

async function writeDraft(
  options: UpOptions,
  documents: ClusterDocuments,
  passphrase: string | undefined
): Promise<string> {
  await makeDirectory(options.data)
  // Mode 0700, as mkdtemp makes it.
  const draft = await mkdtemp(join(options.data, `.${FOLDER}-`))
  try {
    if (passphrase !== undefined || options.plaintextKey === true) {
      await writeIssuerKey(join(draft, ISSUER_KEY_FILE), documents.issuer, passphrase)
    }
    for (const [i, token] of documents.tokens.entries()) {
      await writePrivateFile(join(draft, tokenFile(i + 1)), utf8(`${token}\n`))
    }
    await writePrivateFile(join(draft, GENESIS_FILE), documents.genesis.bytes)
    return draft
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw error
  }
}

/** The key came into being with the folder, so that it is never there alone; its place is beside it. */
async function placeIssuerKey(dataDir: string): Promise<void> {
  const made = join(dataDir, FOLDER, ISSUER_KEY_FILE)
  if (await exists(made)) await rename(made, join(dataDir, ISSUER_KEY_FILE))
}

/** A directory that serves another cluster, or holds an issuer key, is not for a new one. */
async function requireUnused(dataDir: string): Promise<void> {
  for (const name of [dataFiles.genesis, dataFiles.token, dataFiles.certificate, ISSUER_KEY_FILE]) {
    const path = join(dataDir, name)
    if (await exists(path)) {
      throw new WouldOverwriteError(
        path,
        `This data directory belongs to a cluster: quorate up --data ${shellWord(dataDir)} goes on with it. For a new cluster choose another --data.`
      )
    }
  }
}

async function readFolder(folder: string): Promise<Documents | undefined> {
  const bytes = await readIfPresent(join(folder, GENESIS_FILE))
  if (bytes === undefined) return undefined
  const genesis = readGenesis(new Uint8Array(bytes))
  const tokens: string[] = []
  for (let seat = 1; seat <= genesis.genesis.foundingSize; seat++) {
    const text = await readIfPresent(join(folder, tokenFile(seat)))
    if (text !== undefined) tokens.push(text.toString().trim())
  }
  return { genesis, tokens }
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function requireSame(options: UpOptions, { genesis }: VerifiedGenesis): void {
  const rules = [
    ['name', options.name, genesis.name],
    ['seats', options.seats, genesis.foundingSize]
  ] as const
  for (const [option, given, present] of rules) {
    if (given !== undefined && given !== present)
      throw new NewClusterMismatchError(option, given, present, options.data)
  }
}

function describe(
  options: UpOptions,
  { genesis, tokens }: Documents,
  continued: boolean,
  issuerKey: NewCluster['issuerKey']
): NewCluster {
  const { name, foundingSize } = genesis.genesis
  const fileOf = (seat: number): string => join(options.data, FOLDER, tokenFile(seat))
  return {
    name,
    seats: foundingSize,
    seatsByDefault: !continued && options.seats === undefined,
    continued,
    issuerKey,
    genesis: genesis.bytes,
    ownToken: tokens[0],
    invitations: (ownAddresses) =>
      tokens.slice(1).map((token, i) => {
        const seat = i + 2
        return {
          seat,
          token: new Secret(utf8(token)),
          file: fileOf(seat),
          command: upCommand(options, seat, fileOf(seat), ownAddresses)
        }
      })
  }
}

/** With the options of this node that are as good for another one beside it. */
function upCommand(options: UpOptions, seat: number, file: string, ownAddresses: readonly string[]): string {
  const { mdns, interface: interfaces = [], listen = [], seed = [], timing, snapshotEvery } = options
  const seeds = mdns ? seed : [...ownAddresses, ...seed]
  const words = [
    ['--data', `./node-${seat}`, '--token', file],
    interfaces.length === 0 ? [] : ['--interface', ...interfaces],
    // A port that was chosen is taken.
    listen.length > 0 && listen.every((address) => address.endsWith('/tcp/0')) ? ['--listen', ...listen] : [],
    mdns ? [] : ['--no-mdns'],
    seeds.length === 0 ? [] : ['--seed', ...seeds],
    timing === undefined ? [] : ['--timing', timing],
    snapshotEvery === undefined ? [] : ['--snapshot-every', String(snapshotEvery)]
  ]
  return `quorate up ${words.flat().map(shellWord).join(' ')}`
}

export function noteLines({ name, seats, seatsByDefault, continued, issuerKey }: NewCluster): readonly string[] {
  const byDefault = seatsByDefault ? ' (the default; --seats chooses)' : ''
  const size = seats === 1 ? '1 seat' : `${seats} seats${byDefault}, and all of them must be there to found it`
  return [continued ? `going on with ${name}, which was made here before` : `${name}: ${size}`, ...keyLines(issuerKey)]
}

/** The tokens themselves only where `isTerminal`: what goes into a file or a pipe is kept, and read by others. */
export function invitationLines(invitations: readonly Invitation[], isTerminal: boolean): readonly string[] {
  if (invitations.length === 0) return []
  const paste = isTerminal ? ', or pass --token - and paste the token' : ''
  return [
    `for the other seats, one line each. On another machine: copy its token file there first${paste}.`,
    'A token is secret until it is used; the files are removed once the cluster is founded.',
    ...invitations.flatMap(({ seat, command, token }) => [
      `  seat ${seat}  $ ${command}`,
      ...(isTerminal ? [`          ${fromUtf8(token.reveal())}`] : [])
    ])
  ]
}

/** Removes the tokens that `up --new` left in this data directory, if it did. */
export async function forgetTokens(dataDir: string): Promise<void> {
  const folder = join(dataDir, FOLDER)
  const names = await readdir(folder).catch(() => [])
  for (const name of names) if (/^seat-\d+\.token$/.test(name)) await rm(join(folder, name), { force: true })
}

function keyLines(issuerKey: NewCluster['issuerKey']): readonly string[] {
  switch (issuerKey) {
    case 'thrown-away':
      return ['the issuer key was thrown away after signing; to keep it, make the cluster with --passphrase-file']
    case 'plaintext':
      return ['the issuer key is kept UNENCRYPTED; move it off this machine']
    case 'encrypted':
      return ['the issuer key is kept encrypted; move it off this machine']
    case 'as-before':
      return []
  }
}
