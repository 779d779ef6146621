/**
 * The folder in which compiled code is kept (compiled.ts), and what becomes of those that nobody uses any more.
 *
 * There is one for each V8 and user, and in it a file for each text: a new version of Node.js leaves a folder behind, one of the command
 * files. Who has kept something new removes what has not been used for long; only then is there more than before, and a usual start
 * looks at nothing. The time of use is the later of a file's last reading and writing. Where the system does not note the first
 * (`noatime`), what is in use may be removed. That costs as much as an emptied directory for temporary files: a start that compiles.
 *
 * The folder lies among other people's files, so nothing goes that is not plainly ours: a folder by the name that we give, of this user,
 * in which nobody else may write, and in it plain files of this user by the names that we give. One thing more, and all of it stays.
 * Neither links nor folders within are followed. Files are named by paths, so it also matters that they stay what they were when they
 * were looked at: nobody but this user and root may be able to put something else in the place of a part of the path.
 *
 * Others may use what is removed at that moment. Who reads a file has it open; who comes later compiles. Who writes makes a young draft,
 * and a folder goes only when it is empty; should it be gone when somebody writes, nothing is kept this time. Several that remove at once
 * find some of it gone. Without user ids (Windows) nothing can be told to be ours, and nothing is removed.
 */
import { type Stats, lstatSync, mkdirSync, opendirSync, readdirSync, realpathSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { cachedDataVersionTag } from 'node:v8'
import { crc32 } from 'node:zlib'

/**
 * Longer than a quarter, so that what is started at each quarter's maintenance finds its code. To keep it costs some megabytes, to
 * remove it too early one start that compiles: there is no hurry. Where the system empties its directory by itself, it was sooner.
 */
const UNUSED_MS_MAX = 100 * 86_400_000

/** A node has other things to do in between. 100 names take it some 40 us. */
const NAMES_A_STEP = 100
/** What lies behind so many of other people's files is left. */
const NAMES_MAX = 100_000

const MAY_WRITE = 0o022
/** In a directory that has it, only an owner may rename or remove. */
const STICKY = 0o1000

/** Made when absent. Undefined where nothing may be kept. The flags of V8 are in its name: it reads only what was compiled under its own. */
export function compiledFolder(): string | undefined {
  const tag = cachedDataVersionTag().toString(16)
  const name = `quorate-${process.version}-${process.arch}-${tag}-${process.getuid?.() ?? 'user'}`
  const path = join(process.env['NODE_COMPILE_CACHE'] ?? tmpdir(), name)
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return isOnlyOurs(lstatSync(path)) ? path : undefined
  } catch {
    return undefined
  }
}

const foldersOf = (uid: number): RegExp =>
  new RegExp(String.raw`^quorate-v\d+\.\d+\.\d+(?:-[\w.]+)?-\w+-[\da-f]{1,8}-${uid}$`)

/** Where the compiled code of a text of the command is kept. */
export const compiledFile = (folder: string, part: string, text: string): string =>
  join(folder, `${part}-${crc32(text).toString(16)}`)

/** What becomes that file when it is whole. */
export const draftOf = (file: string): string => `${file}.${process.pid}`

const FILE = /^[\w-]+\.js-[\da-f]{1,8}(?:\.\d+)?$/

/** A folder in which nobody else could have put something. */
const isOnlyOurs = (found: Stats): boolean =>
  found.isDirectory() &&
  (process.getuid === undefined || (found.uid === process.getuid() && (found.mode & MAY_WRITE) === 0))

/** What nobody has used for long, beside `current` and in it; a little at a time. `used`: files that this process uses. Never throws. */
export function* removeUnused(current: string, used: ReadonlySet<string>): Generator<void> {
  const uid = process.getuid?.()
  if (uid === undefined) return
  try {
    const place = realpathSync(dirname(current))
    if (!isFixed(place, uid)) return
    const own = join(place, basename(current))
    // Something was kept there just now, and the clock that said so is the one that says when others were used.
    const before = lstatSync(own).mtimeMs - UNUSED_MS_MAX
    const names = new Set([...used].map((file) => basename(file)))
    for (const name of yield* namesIn(place, foldersOf(uid))) {
      const folder = join(place, name)
      yield* removeFrom(folder, before, (file) => folder === own && names.has(file))
    }
  } catch {
    // Not to be read: then it is not for us to tidy up.
  }
}

/** Whether nobody else can put something in the place of a part of this path. */
function isFixed(path: string, uid: number): boolean {
  const found = lstatSync(path)
  const isOthers = found.uid !== uid && found.uid !== 0
  if (isOthers || ((found.mode & MAY_WRITE) !== 0 && (found.mode & STICKY) === 0)) return false
  return dirname(path) === path || isFixed(dirname(path), uid)
}

function* namesIn(place: string, pattern: RegExp): Generator<void, readonly string[]> {
  const names: string[] = []
  const directory = opendirSync(place, { bufferSize: NAMES_A_STEP })
  try {
    for (let n = 1; n <= NAMES_MAX; n++) {
      const name = directory.readSync()?.name
      if (name === undefined) break
      if (pattern.test(name)) names.push(name)
      if (n % NAMES_A_STEP === 0) yield
    }
  } finally {
    directory.closeSync()
  }
  return names
}

function* removeFrom(folder: string, before: number, isUsed: (name: string) => boolean): Generator<void> {
  try {
    const found = lstatSync(folder)
    if (!isOnlyOurs(found)) return
    const names = readdirSync(folder)
    if (!names.every((name) => FILE.test(name) && isPlain(look(join(folder, name)), found.uid))) return
    for (const name of names) {
      if (!isUsed(name) && removeFile(join(folder, name), before)) yield
    }
    if (found.mtimeMs < before) rmdirSync(folder)
  } catch {
    // Somebody has written there, or it may not be changed.
  }
}

/** Undefined when it is gone: others remove as well. */
const look = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false })

const isPlain = (found: Stats | undefined, uid: number): boolean =>
  found === undefined || (found.isFile() && found.uid === uid)

/**
 * Looked at again: somebody may have used it meanwhile, or be a step ahead in removing it. Whoever was first goes on to the end: for those
 * behind, the folder has become young.
 */
function removeFile(file: string, before: number): boolean {
  const found = look(file)
  if (found === undefined || Math.max(found.atimeMs, found.mtimeMs) >= before) return false
  rmSync(file, { force: true })
  return true
}
