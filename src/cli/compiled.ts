/**
 * Loads what the command consists of, with the code that V8 has already compiled for it.
 *
 * Node.js keeps compiled code as well, but only what was compiled before anything ran: then either each start compiles some
 * 2,600 functions one by one, most of them in the middle of forming a cluster, or every function is compiled, whether anybody calls
 * it or not. Here the first lives of a node on a machine say what a node calls: what they compiled is kept for the next ones
 * (`keepCompiled`). Of what is ours everything is compiled from the first moment on: a survivor may have waited months for the
 * hour in which it runs that code. It also costs a start no module loader, and a process that is made of scripts keeps no copy of
 * what it was read from. The size of a leader is part of every failover (docs/PERFORMANCE.md).
 *
 * Kept where Node.js keeps its own, or in the directory for temporary files (compiled-folder.ts, which also removes what is old).
 * V8 runs what such a file says, so it is read only when nobody else could have written it, and when it is whole. Where it cannot
 * be read or written, the command does without.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'
import { crc32 } from 'node:zlib'
import { compiledFile, compiledFolder, draftOf, removeUnused } from './compiled-folder.ts'

/** Lives of a node after which nothing is added any more: a founder's, and those of nodes that are started again. */
const LIVES_MAX = 3

/** Compiled whole: what a failover needs. The rest of a node is libp2p and the reading of the command line. */
const WHOLE = /^(?:up|documents|run-up|node)\.js$/

/** Lives, checksum of what is before it. */
const FOOTER_BYTES = 8

const HEAD = '(function(exports,require,module,__filename){'

/** As Node.js wraps a CommonJS module, for a script that gives a function. */
export const wrapped = (text: string): string => `${HEAD}${text}\n})`

type Wrapped = (exports: object, require: (name: string) => object, module: object, __filename: string) => void

interface Part {
  readonly script: Script
  /** Where its compiled code is kept; undefined: nowhere. */
  readonly file: string | undefined
  /** Nodes whose lives are in what was read. */
  readonly lives: number
  readonly wasRead: boolean
}

const parts: Part[] = []
const loaded = new Map<string, { exports: object; isWhole: boolean }>()

/** A part of the command by its name, and what that part needs. */
export function load(name: string, folder: string, own: object = {}): object {
  if (loaded.size === 0) {
    loaded.set('loader.js', { exports: own, isWhole: true })
    process.once('exit', keepFirst)
  }
  const known = loaded.get(name)
  if (known?.isWhole === false) throw new Error(`${name} needs itself`)
  if (known !== undefined) return known.exports
  const module = { exports: {}, isWhole: false }
  loaded.set(name, module)
  const file = join(folder, name)
  const run = compile(name, file).runInThisContext() as Wrapped
  run(module.exports, (needed) => load(needed.slice('./'.length), folder), module, file)
  module.isWhole = true
  return module.exports
}

function compile(name: string, filename: string): Script {
  const text = readFileSync(filename, 'utf8')
  const file = directory() === undefined ? undefined : compiledFile(directory()!, name, text)
  const kept = file === undefined ? undefined : read(file)
  const isLazy = kept !== undefined || !WHOLE.test(name)
  if (!isLazy) setFlagsFromString('--no-lazy')
  const script = new Script(wrapped(text), {
    filename,
    columnOffset: -HEAD.length,
    ...(kept === undefined ? {} : { cachedData: kept.compiled })
  })
  if (!isLazy) setFlagsFromString('--lazy')
  const wasRead = kept !== undefined && script.cachedDataRejected !== true
  parts.push({ script, file, lives: wasRead ? kept.lives : 0, wasRead })
  return script
}

let found: { readonly path: string | undefined } | undefined

/** Undefined where nothing may be kept. */
function directory(): string | undefined {
  found ??= { path: process.env['NODE_DISABLE_COMPILE_CACHE'] === undefined ? compiledFolder() : undefined }
  return found.path
}

function read(file: string): { readonly compiled: Buffer; readonly lives: number } | undefined {
  try {
    const bytes = readFileSync(file)
    const end = bytes.length - FOOTER_BYTES
    if (end <= 0 || crc32(bytes.subarray(0, end + 4)) !== bytes.readUInt32LE(end + 4)) return undefined
    return { compiled: bytes.subarray(0, end), lives: bytes.readUInt32LE(end) }
  } catch {
    return undefined
  }
}

function write(file: string, compiled: Buffer, lives: number): void {
  const bytes = Buffer.alloc(compiled.length + FOOTER_BYTES)
  compiled.copy(bytes)
  bytes.writeUInt32LE(lives, compiled.length)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, compiled.length + 4)), compiled.length + 4)
  const draft = draftOf(file)
  try {
    // Other processes read it at any moment, and see all of it or nothing.
    writeFileSync(draft, bytes, { mode: 0o600 })
    renameSync(draft, file)
  } catch {
    rmSync(draft, { force: true })
  }
}

/** The same flags as when it will be read: V8 refuses code that was compiled under others. */
const keep = (part: Part, lives: number, usual: <T>(make: () => T) => T): void => {
  if (part.file !== undefined)
    write(
      part.file,
      usual(() => part.script.createCachedData()),
      lives
    )
}

let isNode = false

/** A node keeps what it calls once it has lived for a while (`keepCompiled`), not when it ends: by then V8 has other flags. */
export function keepLater(): void {
  isNode = true
}

/** Keeps what a node has called so far, for the next one; a part at a time. `usual` calls it under the flags of a start. */
export function* keepCompiled(usual: <T>(make: () => T) => T): Generator<void> {
  for (const part of parts) {
    if (part.lives >= LIVES_MAX) continue
    keep(part, part.lives + 1, usual)
    yield
  }
  yield* tidyUp()
}

/** Of a command that is no node: what nobody has compiled before. */
function keepFirst(): void {
  if (isNode) return
  for (const part of parts) if (!part.wasRead) keep(part, 0, (make) => make())
  Array.from(tidyUp())
}

/** When something was kept that was not there before. */
function* tidyUp(): Generator<void> {
  const folder = directory()
  if (folder === undefined || parts.every(({ wasRead }) => wasRead)) return
  yield* removeUnused(folder, new Set(parts.flatMap(({ file }) => file ?? [])))
}
