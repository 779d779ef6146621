/**
 * A node's home: what its data directory holds, and what it becomes at every start.
 *
 * Opening it takes the lock, reads or makes the key, brings token and genesis together, opens the log, counts this boot and
 * makes or reads the claim. When it returns, everything that says who this node is (key, storeId, claim, boot) is durable,
 * so that a crash at any later moment starts the same incarnation again.
 */
import { join } from 'node:path'
import { readFile, stat } from 'node:fs/promises'
import { equalBytes, toHex, utf8 } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { decodeCbor, encodeCbor } from '../core/cbor.ts'
import { secureBytes } from '../core/random.ts'
import { makeBootStatement } from '../identity/boot-statement.ts'
import { decodeClaim, makeClaim } from '../identity/claim.ts'
import { readGenesis, type VerifiedGenesis } from '../identity/genesis.ts'
import type { LocalKey } from '../identity/signer.ts'
import { type ParsedToken, parseToken } from '../identity/token.ts'
import { recoveredProgress } from '../replica/recovered.ts'
import type { StageSpan } from '../observability/stages.ts'
import { type DataDir, type DataFile, dataFiles, openDataDir } from '../storage/data-dir.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'
import { errnoOf, openingError, StorageMissingError } from '../storage/errors.ts'
import type { Recovered, Storage } from '../storage/port.ts'
import { openWalStorage } from '../storage/wal/wal.ts'
import { CredentialMismatchError, NoCredentialError } from './errors.ts'
import { loadOrCreateNodeKey } from './node-key.ts'
import type { Logger } from './types.ts'

export interface HomeInit {
  readonly dataDir: string
  readonly token: string | undefined
  readonly genesis: Uint8Array | undefined
  readonly logger: Logger
  readonly clock: Clock
  /** When the start of the node began, by `clock.now()`. */
  readonly startedAt: number
  /** Instead of the key in the data directory. */
  readonly key?: LocalKey
}

export interface Home {
  readonly path: string
  /** By `clock.now()`. */
  readonly startedAt: number
  /** How long it took: preflight and identity, over before there is a node to report them. */
  readonly stages: readonly StageSpan[]
  readonly key: LocalKey
  readonly domainId: Uint8Array
  readonly generation: number
  /** Undefined when the token only pins it; `keepGenesis` stores what a peer brings. */
  readonly genesis: VerifiedGenesis | undefined
  readonly storeId: Uint8Array
  readonly storage: Storage
  /** The claim with its token, as peers are shown it. */
  readonly claim: Uint8Array
  /** How many times this data directory was started, this one included. */
  readonly boot: number
  readonly bootNonce: Uint8Array
  /** What this process life signed first: boot, nonce, and how far the disk was. */
  readonly bootStatement: Uint8Array
  /** The founding certificate that was kept beside the key; also when the log was lost. */
  readonly certificate: Uint8Array | undefined
  pathOf(file: DataFile): string
  keepGenesis(bytes: Uint8Array): Promise<void>
  keepCertificate(bytes: Uint8Array): Promise<void>
  /** Closes the log and gives the directory back. Idempotent. */
  close(): Promise<void>
}

const BOOT_CELL = 'boot'
const CLAIM_CELL = 'claim'

export async function openHome(init: HomeInit): Promise<Home> {
  const directory = await openDataDir(init.dataDir)
  const preflightAt = init.clock.now()
  for (const warning of directory.warnings) init.logger.warn({ dataDir: directory.path }, warning)
  let storage: Storage | undefined
  try {
    const credentials = await gatherCredentials(directory.path, init)
    const key = init.key ?? (await loadOrCreateNodeKey(directory.path))
    storage = await openLog(directory, { domainId: credentials.domainId, peerId: key.signer.peerId })
    reportRecovery(storage.recovered, init.logger)
    const home = await moveIn(directory, key, credentials, storage)
    const { clock, startedAt } = init
    const stages: readonly StageSpan[] = [
      { stage: 'preflight', startedAt, endedAt: preflightAt },
      { stage: 'identity', startedAt: preflightAt, endedAt: clock.now() }
    ]
    return { ...home, startedAt, stages }
  } catch (error) {
    // Why it cannot be opened is news; that it cannot be closed either is none.
    await storage?.close().catch(() => {})
    await directory.close()
    throw errnoOf(error)?.startsWith('E') === true ? openingError('opening', directory.path, error) : error
  }
}

/** The log's directory is there before its storeId: whoever finds that one alone has lost the log. */
async function openLog(
  directory: DataDir,
  owner: { readonly domainId: Uint8Array; readonly peerId: string }
): Promise<Storage> {
  const log = directory.pathOf('wal')
  try {
    return await openWalStorage({ directory: log, owner: { ...owner, storeId: directory.storeId } })
  } catch (error) {
    const isGone = await stat(log).then(
      () => false,
      (reason: unknown) => errnoOf(reason) === 'ENOENT'
    )
    throw isGone ? new StorageMissingError(log, directory.pathOf('storeId')) : error
  }
}

function reportRecovery({ tornBytes, skippedSnapshot }: Recovered, logger: Logger): void {
  if (tornBytes > 0) logger.info({ bytes: tornBytes }, 'cut a torn, never acknowledged write at the end of the log')
  if (skippedSnapshot !== undefined) {
    logger.warn({ why: skippedSnapshot }, 'the snapshot before the newest and the log after it led to the same state')
  }
}

interface Credentials {
  readonly token: ParsedToken | undefined
  readonly genesis: VerifiedGenesis | undefined
  readonly domainId: Uint8Array
  readonly generation: number
  /** What was given and the directory does not hold yet. */
  readonly unkept: readonly { readonly file: DataFile; readonly bytes: Uint8Array }[]
}

async function moveIn(
  directory: DataDir,
  key: LocalKey,
  credentials: Credentials,
  storage: Storage
): Promise<Omit<Home, 'startedAt' | 'stages'>> {
  const boot = bootCounter(storage.recovered.cells.get(BOOT_CELL)) + 1
  const claim = await claimFor(storage.recovered.cells.get(CLAIM_CELL), directory, key, credentials)
  // Not before everything that may refuse them has spoken, or a slip of the hand would be what the next start goes by; and
  // before the claim, so that a directory that has a claim knows by which token.
  for (const { file, bytes } of credentials.unkept) await writeFileAtomic(directory.pathOf(file), bytes)
  await storage.write({
    cells: [
      { name: BOOT_CELL, value: encodeCbor(boot) },
      { name: CLAIM_CELL, value: claim }
    ]
  })
  const bootNonce = secureBytes(16)
  const bootStatement = await makeBootStatement(key.signer, {
    domainId: credentials.domainId,
    generation: credentials.generation,
    storeId: directory.storeId,
    boot,
    bootNonce,
    sequence: 0,
    ...recoveredProgress(storage.recovered),
    seen: undefined
  })
  let closing: Promise<void> | undefined
  let keeping: Promise<unknown> = Promise.resolve()
  const keep = (file: DataFile, bytes: Uint8Array): Promise<void> => {
    const kept = writeFileAtomic(directory.pathOf(file), bytes)
    keeping = Promise.allSettled([keeping, kept])
    return kept
  }
  return {
    path: directory.path,
    key,
    domainId: credentials.domainId,
    generation: credentials.generation,
    genesis: credentials.genesis,
    storeId: directory.storeId,
    storage,
    claim,
    boot,
    bootNonce,
    bootStatement,
    certificate: await readOptional(directory.pathOf('certificate')),
    pathOf: (file) => directory.pathOf(file),
    keepGenesis: (bytes) => keep('genesis', bytes),
    keepCertificate: (bytes) => keep('certificate', bytes),
    close() {
      closing ??= (async () => {
        try {
          // Nothing is written here once the lock is given back.
          await keeping
          await storage.close()
        } finally {
          await directory.close()
        }
      })()
      return closing
    }
  }
}

/** The same claim for the life of the store: its nonce is part of the clusterId. */
async function claimFor(
  stored: Uint8Array | undefined,
  directory: DataDir,
  key: LocalKey,
  { token, genesis }: Credentials
): Promise<Uint8Array> {
  if (stored !== undefined) {
    const { tokenId } = decodeClaim(stored).fields
    if (token !== undefined && tokenId !== token.token.tokenId) {
      throw new CredentialMismatchError(
        'token',
        tokenId ?? 'none (roster)',
        `token ${token.token.tokenId}`,
        directory.path
      )
    }
    return stored
  }
  return makeClaim({
    node: key.signer,
    storeId: directory.storeId,
    nonce: secureBytes(16),
    by: token === undefined ? { type: 'roster', genesis: genesis! } : { type: 'token', token }
  })
}

/** What was given and what was kept, which must speak of one genesis. */
async function gatherCredentials(path: string, init: HomeInit): Promise<Credentials> {
  const tokenFile = join(path, dataFiles.token)
  const genesisFile = join(path, dataFiles.genesis)
  const keptToken = await readOptional(tokenFile)
  const keptGenesis = await readOptional(genesisFile)
  const token = tokenOf(init.token, keptToken === undefined ? undefined : new TextDecoder().decode(keptToken), path)
  const genesis = genesisOf(
    [init.genesis, keptGenesis].filter((bytes) => bytes !== undefined),
    token,
    path
  )
  if (token === undefined && genesis === undefined) throw new NoCredentialError(path)
  const tokenText = keptToken === undefined ? init.token?.trim() : undefined
  return {
    token,
    genesis,
    domainId: token?.token.domainId ?? genesis!.domainId,
    generation: token?.token.generation ?? genesis!.genesis.generation,
    unkept: [
      ...(tokenText === undefined ? [] : [{ file: 'token', bytes: utf8(`${tokenText}\n`) } as const]),
      ...(genesis === undefined || keptGenesis !== undefined
        ? []
        : [{ file: 'genesis', bytes: genesis.bytes } as const])
    ]
  }
}

function tokenOf(given: string | undefined, kept: string | undefined, path: string): ParsedToken | undefined {
  const token = given ?? kept
  if (token === undefined) return undefined
  const parsed = parseToken(token)
  const stored = kept === undefined ? undefined : parseToken(kept)
  if (stored !== undefined && stored.token.tokenId !== parsed.token.tokenId) {
    throw new CredentialMismatchError('token', stored.token.tokenId, `token ${parsed.token.tokenId}`, path)
  }
  return parsed
}

function genesisOf(
  documents: readonly Uint8Array[],
  token: ParsedToken | undefined,
  path: string
): VerifiedGenesis | undefined {
  const found = [...documents.map(readGenesis), ...(token?.genesis === undefined ? [] : [token.genesis])]
  const expected = token?.token.domainId ?? found[0]?.domainId
  for (const { domainId, genesis } of found) {
    if (!equalBytes(domainId, expected!)) {
      throw new CredentialMismatchError(
        'domain',
        toHex(expected!),
        `the genesis of ${genesis.name} (${toHex(domainId)})`,
        path
      )
    }
  }
  return found[0]
}

function bootCounter(cell: Uint8Array | undefined): number {
  const value = cell === undefined ? 0 : decodeCbor(cell)
  return typeof value === 'number' ? value : 0
}

async function readOptional(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
