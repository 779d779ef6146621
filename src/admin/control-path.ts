/**
 * Where the control socket lies. Normally DATA/control.sock. A Unix socket's path must fit in `sun_path` (108 bytes with its
 * final zero on Linux, 104 on macOS and the BSDs); for a longer one the socket lies in a private directory (mode 0700) under
 * the system's temporary folder and DATA/control.json says where: {"pid": …, "socket": "…"}.
 *
 * Only the holder of the data directory's lock calls `placeSocket`, so whatever lies there was left by a dead process and
 * may be replaced. The new socket is bound under a name of its own, restricted, then renamed over the old one: at no
 * moment is there a socket under the known name that others may open or that nobody serves.
 */
import { chmod, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'

export const CONTROL_SOCKET = 'control.sock'
const POINTER = 'control.json'
const SOCKET_PATH_BYTES_MAX = process.platform === 'linux' ? 107 : 103

export interface SocketPlace {
  /** Bind here, then `settle()`. */
  readonly bindPath: string
  /** Where clients find it once settled. */
  readonly path: string
  settle(): Promise<void>
  /** Removes what `settle` made. */
  clear(): Promise<void>
}

const bindName = (path: string): string => join(dirname(path), `.${basename(path)}.${process.pid}`)
const fits = (path: string): boolean => Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX
const pointerOf = (wanted: string): string => join(dirname(wanted), POINTER)

/** `socketPath` is the path in the data directory. Judged as absolute, so that all spellings of it come to one answer. */
export async function placeSocket(socketPath: string): Promise<SocketPlace> {
  const wanted = resolve(socketPath)
  await removeStale(wanted)
  const far = fits(bindName(wanted)) ? undefined : await mkdtemp(join(shortTmpdir(), 'quorate-'))
  const path = far === undefined ? wanted : join(far, CONTROL_SOCKET)
  const bindPath = bindName(path)
  return {
    bindPath,
    path,
    async settle() {
      await chmod(bindPath, 0o600)
      await rename(bindPath, path)
      if (far !== undefined) await writePointer(wanted, path)
    },
    async clear() {
      await rm(path, { force: true })
      if (far === undefined) return
      await rm(pointerOf(wanted), { force: true })
      await rm(far, { recursive: true, force: true })
    }
  }
}

/** A private directory that a killed process left; its path is taken from our own pointer, and only a name of ours is removed. */
async function removeStale(wanted: string): Promise<void> {
  const old = await readPointer(wanted)
  if (old === undefined) return
  const folder = dirname(old.socket)
  if (basename(old.socket) === CONTROL_SOCKET && basename(folder).startsWith('quorate-')) {
    await rm(folder, { recursive: true, force: true })
  }
  await rm(pointerOf(wanted), { force: true })
}

/** TMPDIR itself may be too deep. */
const shortTmpdir = (): string =>
  fits(join(tmpdir(), 'quorate-123456', `.${CONTROL_SOCKET}.1234567`)) ? tmpdir() : '/tmp'

async function writePointer(wanted: string, socket: string): Promise<void> {
  const temporary = `${pointerOf(wanted)}.${process.pid}`
  await writeFile(temporary, `${JSON.stringify({ pid: process.pid, socket })}\n`, { mode: 0o600 })
  await rename(temporary, pointerOf(wanted))
}

async function readPointer(wanted: string): Promise<{ pid: number; socket: string } | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(pointerOf(wanted), 'utf8'))
    const { pid, socket } = (value ?? {}) as { pid?: unknown; socket?: unknown }
    return typeof pid === 'number' && typeof socket === 'string' ? { pid, socket } : undefined
  } catch {
    return undefined
  }
}

/** Where a client connects. */
export async function findSocket(dataDir: string): Promise<string> {
  const wanted = resolve(dataDir, CONTROL_SOCKET)
  return (await readPointer(wanted))?.socket ?? wanted
}
