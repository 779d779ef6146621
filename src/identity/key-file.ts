/**
 * The container in which a key rests: one line of JSON, so that a person can see what the file is and a program can refuse what
 * it does not know.
 *
 *     {"quorate-key":1,"type":"node","publicKey":…,"cipher":"none","seed":…}
 *     {"quorate-key":1,"type":"issuer","publicKey":…,"cipher":"scrypt-aes-256-gcm","logN":17,"salt":…,"nonce":…,"sealed":…}
 *
 * Binary values are base64url. With a passphrase the seed is sealed by AES-256-GCM under a key that scrypt (RFC 7914; r = 8,
 * p = 1, N = 2^17: 128 MiB and about half a second for each guess) derives from it; everything else in the line is the
 * associated data, so that no part can be exchanged. In either form the seed must give the public key that is written beside it:
 * a damaged file is noticed before it signs anything.
 */
import { createCipheriv, createDecipheriv, scrypt } from 'node:crypto'
import { concat, equalBytes, fromBase64Url, toBase64Url, utf8 } from '../core/bytes.ts'
import { QuorateError, type ErrorDetail } from '../core/errors.ts'
import { canonicalJson } from '../core/json.ts'
import { secureBytes } from '../core/random.ts'
import { Secret } from './secret.ts'
import { localKeyFromSeed, SEED_BYTES, type LocalKey } from './signer.ts'

export type KeyType = 'node' | 'issuer'

export const KEY_FILE_BYTES_MAX = 4096

const VERSION = 1
const LOG_N = 17
/** Read from the file, so bounded: 2^20 is 1 GiB of memory. */
const LOG_N_MAX = 20
const LOG_N_MIN = 14
const SALT_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** The file is no key file, is damaged, or holds another type of key. */
export class KeyFileInvalidError extends QuorateError {
  constructor(path: string, reason: string, cause?: unknown) {
    super('KeyFileInvalidError', 'ERR_KEY_FILE_INVALID', `${path} is not a usable key file: ${reason}`, {
      details: { path, reason },
      nextStep: 'Restore the file from a backup. A new key is a new identity and needs a new token.',
      ...(cause === undefined ? {} : { cause })
    })
  }
}

/** The key is encrypted, and the passphrase is missing or wrong. */
export class PassphraseError extends QuorateError {
  constructor(path: string, given: boolean) {
    const detail: ErrorDetail = {
      details: { path },
      nextStep: 'Give the passphrase at the prompt, with --passphrase-file, or in QUORATE_PASSPHRASE.'
    }
    const message = given ? `the passphrase does not open ${path}` : `${path} is encrypted and no passphrase was given`
    super('PassphraseError', 'ERR_PASSPHRASE', message, detail)
  }
}

/** The line for this key, sealed when there is a passphrase. */
export async function encodeKeyFile(type: KeyType, key: LocalKey, passphrase?: Secret): Promise<Uint8Array> {
  const header = { 'quorate-key': VERSION, type, publicKey: toBase64Url(key.signer.publicKey) }
  if (passphrase === undefined) {
    return line({ ...header, cipher: 'none', seed: toBase64Url(key.seed.reveal()) })
  }
  const salt = secureBytes(SALT_BYTES)
  const nonce = secureBytes(NONCE_BYTES)
  const open = {
    ...header,
    cipher: 'scrypt-aes-256-gcm',
    logN: LOG_N,
    salt: toBase64Url(salt),
    nonce: toBase64Url(nonce)
  }
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, salt, LOG_N), nonce)
  cipher.setAAD(utf8(canonicalJson(open)))
  const sealed = concat(cipher.update(key.seed.reveal()), cipher.final(), cipher.getAuthTag())
  return line({ ...open, sealed: toBase64Url(sealed) })
}

/** Reads the line. `path` is for messages only. Throws KeyFileInvalidError, PassphraseError. */
export async function decodeKeyFile(
  path: string,
  bytes: Uint8Array,
  type: KeyType,
  passphrase?: Secret
): Promise<LocalKey> {
  const record = parseLine(path, bytes)
  const found = record.text('type')
  if (found !== type)
    throw new KeyFileInvalidError(path, `it holds a key of type ${found}, and one of type ${type} is needed`)
  const publicKey = record.bytes('publicKey', 32)
  const key = localKeyFromSeed(await readSeed(path, record, passphrase))
  if (!equalBytes(key.signer.publicKey, publicKey)) {
    throw new KeyFileInvalidError(path, 'its secret does not belong to its public key')
  }
  return key
}

/** Whether opening this file needs a passphrase. Throws KeyFileInvalidError. */
export const isSealed = (path: string, bytes: Uint8Array): boolean => parseLine(path, bytes).text('cipher') !== 'none'

async function readSeed(path: string, record: KeyRecord, passphrase: Secret | undefined): Promise<Uint8Array> {
  const cipher = record.text('cipher')
  if (cipher === 'none') {
    const seed = record.bytes('seed', SEED_BYTES)
    record.end()
    return seed
  }
  if (cipher !== 'scrypt-aes-256-gcm') throw new KeyFileInvalidError(path, `its cipher ${cipher} is not known`)
  const logN = record.integer('logN', LOG_N_MIN, LOG_N_MAX)
  const salt = record.bytes('salt', SALT_BYTES)
  const nonce = record.bytes('nonce', NONCE_BYTES)
  const sealed = record.bytes('sealed', SEED_BYTES + TAG_BYTES)
  record.end()
  if (passphrase === undefined) throw new PassphraseError(path, false)
  const decipher = createDecipheriv('aes-256-gcm', await derive(passphrase, salt, logN), nonce)
  decipher.setAAD(utf8(canonicalJson(record.without('sealed'))))
  decipher.setAuthTag(sealed.subarray(SEED_BYTES))
  try {
    return concat(decipher.update(sealed.subarray(0, SEED_BYTES)), decipher.final())
  } catch {
    // GCM cannot tell a wrong passphrase from a damaged file; the first is what happens.
    throw new PassphraseError(path, true)
  }
}

function derive(passphrase: Secret, salt: Uint8Array, logN: number): Promise<Buffer> {
  const cost = { N: 2 ** logN, r: 8, p: 1, maxmem: 2 ** logN * 8 * 128 + 2 ** 20 }
  return new Promise((resolve, reject) => {
    scrypt(passphrase.reveal(), salt, 32, cost, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
}

const line = (record: Readonly<Record<string, string | number>>): Uint8Array => utf8(`${canonicalJson(record)}\n`)

function parseLine(path: string, bytes: Uint8Array): KeyRecord {
  if (bytes.byteLength > KEY_FILE_BYTES_MAX) {
    throw new KeyFileInvalidError(path, `it has ${bytes.byteLength} bytes, at most ${KEY_FILE_BYTES_MAX} are allowed`)
  }
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    // The parser's message quotes what it read: possibly the secret.
    throw new KeyFileInvalidError(path, 'it is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KeyFileInvalidError(path, 'it is not a JSON object')
  }
  const record = new KeyRecord(path, value as Readonly<Record<string, unknown>>)
  const version = record.integer('quorate-key', 0, 2 ** 31)
  if (version !== VERSION)
    throw new KeyFileInvalidError(path, `it is of version ${version}, and ${VERSION} is understood`)
  return record
}

/** Members of the line, each taken with its type; none may be left over. */
class KeyRecord {
  readonly #path: string
  readonly #members: Readonly<Record<string, unknown>>
  readonly #taken = new Set<string>()

  constructor(path: string, members: Readonly<Record<string, unknown>>) {
    this.#path = path
    this.#members = members
  }

  text(name: string): string {
    const value = this.#take(name)
    return typeof value === 'string' && value.length <= 64 ? value : this.#fail(name, 'is not a short text')
  }

  integer(name: string, least: number, most: number): number {
    const value = this.#take(name)
    const fits = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
    return fits ? value : this.#fail(name, `is not an integer within ${least} to ${most}`)
  }

  bytes(name: string, length: number): Uint8Array {
    const value = this.#take(name)
    const bytes = typeof value === 'string' ? fromBase64Url(value) : undefined
    return bytes?.byteLength === length ? bytes : this.#fail(name, `is not base64url of ${length} bytes`)
  }

  without(name: string): Readonly<Record<string, unknown>> {
    return Object.fromEntries(Object.entries(this.#members).filter(([key]) => key !== name))
  }

  end(): void {
    for (const name of Object.keys(this.#members)) if (!this.#taken.has(name)) this.#fail(name, 'is not known')
  }

  #take(name: string): unknown {
    this.#taken.add(name)
    return Object.hasOwn(this.#members, name) ? this.#members[name] : this.#fail(name, 'is missing')
  }

  #fail(name: string, what: string): never {
    throw new KeyFileInvalidError(this.#path, `its ${JSON.stringify(name.slice(0, 32))} ${what}`)
  }
}
