/**
 * Where keys rest. `KeyStore` is the port; `fileKeyStore` keeps one key in one file, for its owner alone.
 *
 * A file is written to a temporary name with O_EXCL, synced, and then linked to its final name, which fails when that name is
 * taken: an existing key is never overwritten, and after a crash there is either a whole key or none. Reading refuses symbolic
 * links, other people's files, and files that group or others may touch, because a key that somebody else may have copied is not
 * an identity. Left out: Windows access control lists (mode bits mean nothing there, and are not judged).
 */
import { constants, type Stats } from 'node:fs'
import { link, open, rename, lstat, unlink, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { toHex } from '../core/bytes.ts'
import { messageOf, QuorateError } from '../core/errors.ts'
import { secureBytes } from '../core/random.ts'
import {
  decodeKeyFile,
  encodeKeyFile,
  isSealed,
  KEY_FILE_BYTES_MAX,
  KeyFileInvalidError,
  type KeyType
} from './key-file.ts'
import type { Secret } from './secret.ts'
import type { LocalKey } from './signer.ts'

export const NODE_KEY_FILE = 'node.key'
export const ISSUER_KEY_FILE = 'issuer.key'

/** Holds one key. */
export interface KeyStore {
  /** The key, or undefined when there is none yet. */
  load(): Promise<LocalKey | undefined>
  /** Keeps a key where there is none. Throws KeyExistsError. */
  create(key: LocalKey): Promise<void>
}

export interface FileKeyStoreInit {
  readonly path: string
  readonly type: KeyType
  /** Asked only when it is needed: to open a sealed file. */
  readonly passphrase?: () => Promise<Secret | undefined>
  /** Seal with the passphrase when creating. Default false. */
  readonly seal?: boolean
}

/** There is a key already; it was left as it is. */
export class KeyExistsError extends QuorateError {
  constructor(path: string) {
    super('KeyExistsError', 'ERR_KEY_EXISTS', `${path} exists already and is not overwritten`, {
      details: { path },
      nextStep: 'Choose another directory, or move the file away if it is really not needed.'
    })
  }
}

/** Somebody else could have read or replaced the key file. */
export class KeyFileUnsafeError extends QuorateError {
  constructor(path: string, reason: string, nextStep: string, details: Readonly<Record<string, unknown>> = {}) {
    super('KeyFileUnsafeError', 'ERR_KEY_FILE_UNSAFE', `${path} ${reason}`, { details: { path, ...details }, nextStep })
  }
}

/** The file system refused. */
export class KeyFileAccessError extends QuorateError {
  constructor(path: string, what: string, cause: unknown) {
    super('KeyFileAccessError', 'ERR_KEY_FILE_ACCESS', `${path} cannot be ${what}: ${messageOf(cause)}`, {
      details: { path, errno: errnoOf(cause) },
      nextStep: 'Check that the directory exists, belongs to the user that runs this, and has space left.',
      cause
    })
  }
}

export function fileKeyStore(init: FileKeyStoreInit): KeyStore {
  const { path, type } = init
  return {
    async load() {
      const bytes = await readPrivateFile(path)
      if (bytes === undefined) return undefined
      return decodeKeyFile(path, bytes, type, isSealed(path, bytes) ? await init.passphrase?.() : undefined)
    },
    async create(key) {
      // Scrypt takes half a second: a name that is taken is noticed before it.
      if (await exists(path)) throw new KeyExistsError(path)
      const passphrase = init.seal === true ? await init.passphrase?.() : undefined
      if (init.seal === true && passphrase === undefined) {
        throw new KeyFileUnsafeError(
          path,
          'is to be encrypted and no passphrase was given',
          'Give a passphrase, or ask for a plain key explicitly.'
        )
      }
      await writePrivateFile(path, await encodeKeyFile(type, key, passphrase))
    }
  }
}

/** Keeps a key in memory, for tests and for keys that come from elsewhere. */
export function memoryKeyStore(key?: LocalKey): KeyStore {
  let kept = key
  return {
    load: async () => kept,
    create: async (next) => {
      if (kept !== undefined) throw new KeyExistsError('the key in memory')
      kept = next
    }
  }
}

/** Writes a file that only its owner may read, whole or not at all. Throws KeyExistsError when the name is taken. */
export async function writePrivateFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${toHex(secureBytes(6))}.tmp`
  try {
    await writeNew(temporary, bytes)
    await publish(temporary, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    if (error instanceof QuorateError) throw error
    throw new KeyFileAccessError(path, 'written', error)
  } finally {
    await unlink(temporary).catch(ignoreMissing)
  }
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NOFOLLOW, 0o600)
  try {
    // The mode given to open is narrowed by the umask, never widened; set it whole all the same.
    await handle.chmod(0o600)
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Gives the file its final name, which must be free. */
async function publish(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EEXIST') throw new KeyExistsError(path)
    if (errno === undefined || !NO_HARD_LINKS.has(errno)) throw error
    // A file system without hard links: look, then rename. Two makers at the same moment are kept apart by the data directory's lock.
    if (await exists(path)) throw new KeyExistsError(path)
    await rename(temporary, path)
  }
}

async function readPrivateFile(path: string): Promise<Uint8Array | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | NOFOLLOW)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') return undefined
    if (errno === 'ELOOP' || errno === 'EMLINK') {
      throw new KeyFileUnsafeError(path, 'is a symbolic link', 'Put the key file itself there.')
    }
    throw new KeyFileAccessError(path, 'opened', error)
  }
  try {
    // Asked of the open file, so that nothing can change between the look and the read.
    const stats = await handle.stat()
    requirePrivate(path, stats)
    if (stats.size > KEY_FILE_BYTES_MAX) {
      throw new KeyFileInvalidError(path, `it has ${stats.size} bytes, at most ${KEY_FILE_BYTES_MAX} are allowed`)
    }
    return new Uint8Array(await handle.readFile())
  } finally {
    await handle.close()
  }
}

function requirePrivate(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new KeyFileUnsafeError(path, 'is not a regular file', 'Put the key file itself there.')
  if (process.platform === 'win32') return
  const mode = stats.mode & 0o777
  if ((mode & 0o077) !== 0) {
    const shown = `0${mode.toString(8).padStart(3, '0')}`
    throw new KeyFileUnsafeError(
      path,
      `has mode ${shown}, so that others than its owner may touch it; 0600 is needed`,
      `Run: chmod 600 ${path}. If the key may have been copied, replace it.`,
      { mode: shown }
    )
  }
  const user = process.geteuid?.()
  if (user !== undefined && stats.uid !== user) {
    throw new KeyFileUnsafeError(
      path,
      `belongs to user ${stats.uid}, and this is user ${user}`,
      `Run as its owner, or chown it.`,
      {
        owner: stats.uid,
        user
      }
    )
  }
}

/** A new name is durable only when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  // Windows can neither open nor sync a directory.
  if (process.platform === 'win32') return
  const handle = await open(path, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw new KeyFileAccessError(path, 'looked at', error)
  }
}

/** Undefined on Windows, where a link is followed. */
const NOFOLLOW = (constants.O_NOFOLLOW as number | undefined) ?? 0

const NO_HARD_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return typeof code === 'string' ? code : undefined
}

function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw new KeyFileAccessError('the temporary key file', 'removed', error)
}
