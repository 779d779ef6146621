/** `quorate token create`: genesis and issuer key in, one line of text out. */
import { fromUtf8, utf8 } from '../core/bytes.ts'
import { InvalidOptionError } from '../core/errors.ts'
import {
  createToken,
  DATE_LEEWAY_MS,
  dateText,
  fileKeyStore,
  isPeerId,
  type LocalKey,
  readGenesis,
  Secret,
  type VerifiedGenesis,
  writePrivateFile
} from '../identity/index.ts'
import { UsageError, WouldOverwriteError } from './cli-errors.ts'
import { exists } from './cluster-documents.ts'
import type { TokenCreateOptions } from './commands/token.ts'
import type { Io } from './io.ts'
import { knownPassphrase } from './passphrase.ts'
import { readSource } from './sources.ts'
import type { Style } from './view/style.ts'

export interface MadeToken {
  readonly event: 'token'
  readonly tokenId: string
  readonly cluster: string
  readonly role: 'voter' | 'observer'
  readonly uses: number
  /** Epoch ms, or null. */
  readonly expiresMs: number | null
  /** PeerId, or null for whoever holds it. */
  readonly peer: string | null
  /** The line itself; null when it went to `file`. */
  readonly token: string | null
  readonly file: string | null
}

export async function createJoinToken(io: Io, options: TokenCreateOptions): Promise<MadeToken> {
  const { role, uses, ttl, peer, out } = options
  if (peer !== undefined && !isPeerId(peer)) throw new UsageError(`--peer ${JSON.stringify(peer)} is not a PeerId`)
  if (peer !== undefined && uses !== 1) {
    throw new UsageError('--peer binds the token to one machine, and --uses asks for more', 'Leave out one of the two.')
  }
  const genesis = readGenesis(new Uint8Array(await readSource(io, options.genesis, 'the genesis')))
  // Before the passphrase is asked for: nobody should type one for nothing.
  if (out !== undefined && (await exists(out))) throw new WouldOverwriteError(out)
  const issuer = await loadIssuer(io, options, genesis)
  const { token, text } = await createToken(genesis, [issuer.signer], {
    grant: { kind: 'join', role, uses },
    ...(ttl === 'never' ? {} : { expiresMs: io.clock.wallNow() + ttl.ms }),
    ...(peer === undefined ? {} : { boundPeer: peer }),
    carryGenesis: options.carryGenesis === true
  })
  const line = fromUtf8(text.reveal())
  if (out !== undefined) await writePrivateFile(out, utf8(`${line}\n`))
  return {
    event: 'token',
    tokenId: token.tokenId,
    cluster: genesis.genesis.name,
    role,
    uses,
    expiresMs: token.expiresMs ?? null,
    peer: peer ?? null,
    token: out === undefined ? line : null,
    file: out ?? null
  }
}

async function loadIssuer(io: Io, options: TokenCreateOptions, { genesis }: VerifiedGenesis): Promise<LocalKey> {
  const { issuers, threshold, name } = genesis
  if (threshold > 1) {
    throw new InvalidOptionError(`tokens of ${name} need the signatures of ${threshold} issuers`, {
      nextStep: 'Make the token with the library, where several issuers can sign it.'
    })
  }
  const key = await fileKeyStore({
    path: options.key,
    type: 'issuer',
    passphrase: async () => new Secret(utf8(await knownPassphrase(io, options.passphraseFile)))
  }).load()
  if (key === undefined) throw new UsageError(`there is no key file ${options.key}`)
  const isIssuer = issuers.some((issuer) => Buffer.from(issuer).equals(key.signer.publicKey))
  if (!isIssuer) {
    throw new UsageError(`${options.key} is not an issuer key of ${name}`, 'Use the issuer.key that was made with it.')
  }
  return key
}

export function tokenLines(made: MadeToken, style: Style): readonly string[] {
  const { cluster, role, uses, expiresMs, peer, token, file } = made
  const whom = peer ?? (uses === 1 ? 'one machine' : `${uses} machines`)
  const until =
    expiresMs === null
      ? 'without end'
      : `until ${dateText(expiresMs)} (and ${DATE_LEEWAY_MS / 1_000} s more, for clocks that are apart)`
  return [
    `${style.bold(cluster)}: join token for ${whom}, role ${role}, ${until}  ${style.dim(made.tokenId)}`,
    ...(token === null ? [`  ${file}`] : [token]),
    'next: On that machine run',
    `  $ quorate up --data node --token ${file ?? 'TOKEN'}`
  ]
}
