/** Making a cluster on paper: an issuer key, the genesis that it signs, a token for each seat. Used by `init` and `up --new`. */
import { lstat } from 'node:fs/promises'
import type { TimingPreset } from '../config-init/index.ts'
import { createGenesis } from '../node/create-genesis.ts'
import type { Io } from './io.ts'
import {
  createToken,
  fileKeyStore,
  Secret,
  type GenesisInit,
  generateLocalKey,
  type LocalKey,
  type VerifiedGenesis
} from '../identity/index.ts'
import { fromUtf8, utf8 } from '../core/bytes.ts'
import { readJsonFile } from './sources.ts'

export interface ClusterInit {
  readonly name: string
  readonly seats: number
  readonly mode: 'roster' | 'seats' | 'pool'
  /** PeerIds, by seat; mode roster. */
  readonly voters: readonly string[]
  /** Paths of JSON files. */
  readonly config: string | undefined
  readonly schema: string | undefined
  readonly timing: TimingPreset
}

export interface ClusterDocuments {
  readonly genesis: VerifiedGenesis
  readonly issuer: LocalKey
  /** One line each, by seat; empty in mode roster. Secret. */
  readonly tokens: readonly string[]
}

/** `carryGenesis`: tokens that a machine can use alone; without it they are short and the genesis comes from a peer. */
export async function makeCluster(
  io: Io,
  init: ClusterInit,
  options: { readonly carryGenesis: boolean }
): Promise<ClusterDocuments> {
  const issuer = generateLocalKey()
  const genesis = await createGenesis(await genesisInit(io, init), [issuer.signer])
  const tokens: string[] = []
  for (let seat = 1; init.mode !== 'roster' && seat <= init.seats; seat++) {
    const { text } = await createToken(genesis, [issuer.signer], { grant: { kind: 'founding', seat }, ...options })
    tokens.push(fromUtf8(text.reveal()))
  }
  return { genesis, issuer, tokens }
}

async function genesisInit(
  io: Io,
  { name, seats, mode, voters, config, schema, timing }: ClusterInit
): Promise<GenesisInit> {
  return {
    name,
    foundingSize: seats,
    mode,
    timing,
    createdAtMs: io.clock.wallNow(),
    ...(mode === 'roster' ? { roster: voters.map((peerId, i) => ({ seat: i + 1, peerId })) } : {}),
    ...(config === undefined ? {} : { config: await readJsonFile(io, config) }),
    ...(schema === undefined ? {} : { schema: await readJsonFile(io, schema) })
  }
}

/** Sealed with the passphrase; in clear without one. */
export async function writeIssuerKey(path: string, key: LocalKey, passphrase: string | undefined): Promise<void> {
  const secret = passphrase === undefined ? undefined : new Secret(utf8(passphrase))
  await fileKeyStore({ path, type: 'issuer', seal: secret !== undefined, passphrase: async () => secret }).create(key)
}

export const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false
  )
