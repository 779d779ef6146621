/** Real folders among other people's files: what is removed because nobody has used it for long, and what is left. */
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { compiledFile, compiledFolder, draftOf, removeUnused } from '../../src/cli/compiled-folder.ts'
import { systemClock } from '../../src/core/clock.ts'

/** What others do as soon as a file has been looked at. */
const others = vi.hoisted(() => ({ act: (() => {}) as (path: string) => void }))
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const lstatSync = (path: string, ...rest: []): unknown => {
    const found = fs.lstatSync(path, ...rest)
    others.act(path)
    return found
  }
  return { ...fs, lstatSync }
})

const UID = process.getuid?.()
const OTHERS = 4711
const DAY_S = 86_400
const OLD = 101
const YOUNG = 99
const OTHER_V8 = `quorate-v1.0.0-x64-250a7c-${UID}`

let temp: string
/** The directory for temporary files. */
let place: string
/** The folder in use. */
let current: string

beforeEach(() => {
  temp = realpathSync(mkdtempSync(join(tmpdir(), 'quorate-folder-')))
  place = join(temp, 'place')
  vi.stubEnv('NODE_COMPILE_CACHE', place)
  current = compiledFolder()!
})

afterEach(() => {
  others.act = () => {}
  vi.unstubAllEnvs()
  rmSync(temp, { recursive: true, force: true })
})

interface Ages {
  /** Days since it was read; as `written` when absent. */
  readonly read?: number
  /** Days since it was written. */
  readonly written: number
}

function age(path: string, { written, read = written }: Ages): void {
  const now = systemClock.wallNow() / 1_000
  utimesSync(path, now - read * DAY_S, now - written * DAY_S)
}

function file(within: string, name: string, ages: Ages): string {
  const path = join(within, name)
  writeFileSync(path, 'compiled', { mode: 0o600 })
  age(path, ages)
  return path
}

/** A folder by that name with a file for each part. */
function folder(name: string, ages: Ages = { written: OLD }, parts = ['main.js-ff3c801c', 'node.js-1a']): string {
  const path = join(place, name)
  mkdirSync(path, { mode: 0o700 })
  for (const part of parts) file(path, part, ages)
  age(path, ages)
  return path
}

const remove = (used: readonly string[] = []): void => void Array.from(removeUnused(current, new Set(used)))

const openFiles = (): number => readdirSync('/dev/fd').length

describe.skipIf(UID === undefined)('folders of compiled code', () => {
  it('that nobody has used for a hundred days are removed; nothing is, before', () => {
    const names = [
      OTHER_V8,
      `quorate-v26.0.0-nightly20260101a1b2c3-arm64-9ac5647c-${UID}`,
      `quorate-v24.0.0-rc.1-x64-1-${UID}`,
      // Of this Node.js, under other flags.
      basename(current).replace(/-[\da-f]+(-\d+)$/, '-0$1')
    ]
    for (const name of names) folder(name, { written: YOUNG })
    remove()
    expect(readdirSync(place).toSorted()).toEqual([...names, basename(current)].toSorted())
    for (const name of names) rmSync(join(place, name), { recursive: true })
    for (const name of names) folder(name, { written: OLD })
    remove()
    expect(readdirSync(place)).toEqual([basename(current)])
  })

  it.each([
    ['read', { written: 500, read: YOUNG }],
    ['written', { written: YOUNG, read: 500 }]
  ])('keep what has been %s since', (_, ages) => {
    const path = folder(OTHER_V8)
    file(path, 'up.js-4', ages)
    age(path, { written: OLD })
    remove()
    expect(readdirSync(path)).toEqual(['up.js-4'])
  })

  it('lose files of other versions of the command, and drafts of the dead; what this process uses stays', () => {
    const text = compiledFile(current, 'run-up.js', 'text')
    const mine = file(current, basename(text), { written: OLD })
    for (const name of ['run-up.js-2', basename(draftOf(text)), 'rolldown-runtime.js-a9ddccdd.1']) {
      file(current, name, { written: OLD })
    }
    const young = file(current, 'node.js-3', { written: YOUNG })
    // Elsewhere the same name is not used by this process.
    const elsewhere = folder(OTHER_V8, { written: OLD }, [basename(mine)])
    remove([mine])
    expect(readdirSync(current).toSorted()).toEqual([basename(mine), basename(young)].toSorted())
    expect(existsSync(elsewhere)).toBe(false)
  })

  it('that somebody has made and not yet written to are left, and go when they are old', () => {
    const path = folder(OTHER_V8, { written: YOUNG }, [])
    remove()
    expect(existsSync(path)).toBe(true)
    age(path, { written: OLD })
    remove()
    expect(existsSync(path)).toBe(false)
  })

  it('are looked for behind other files, a little at a time, and nothing is left open', () => {
    for (let i = 0; i < 1_000; i++) writeFileSync(join(place, `file-${i}`), '')
    const path = folder(OTHER_V8)
    const before = openFiles()
    const abandoned = removeUnused(current, new Set())
    abandoned.next()
    expect(openFiles()).toBe(before + 1)
    abandoned.return(undefined)
    expect(openFiles()).toBe(before)
    // Ten steps of names and two files, each a pause for a node.
    expect(Array.from(removeUnused(current, new Set()))).toHaveLength(12)
    expect(existsSync(path)).toBe(false)
    expect(readdirSync(place)).toHaveLength(1_001)
  })

  it('are kept by the system when nobody else may write there, or only the owner may remove', () => {
    for (const [mode, goes] of [
      [0o777, false],
      [0o770, false],
      [0o1777, true],
      [0o755, true]
    ] as const) {
      for (const directory of [place, temp]) {
        const path = folder(OTHER_V8)
        chmodSync(directory, mode)
        remove()
        expect([mode.toString(8), directory, !existsSync(path)]).toEqual([mode.toString(8), directory, goes])
        chmodSync(directory, 0o700)
        rmSync(path, { recursive: true, force: true })
      }
    }
  })

  it('are found where the directory for temporary files is a link', () => {
    const path = folder(OTHER_V8)
    symlinkSync(place, join(temp, 'link'))
    vi.stubEnv('NODE_COMPILE_CACHE', join(temp, 'link'))
    current = compiledFolder()!
    const mine = file(current, 'up.js-1', { written: OLD })
    remove([mine])
    expect([existsSync(path), existsSync(mine)]).toEqual([false, true])
  })

  it('are no error where the folder in use, or all, is gone', () => {
    const path = folder(OTHER_V8)
    rmSync(current, { recursive: true })
    remove()
    expect(existsSync(path)).toBe(true)
    rmSync(temp, { recursive: true })
    remove()
  })
})

describe.skipIf(UID === undefined)('what is not plainly ours is left', () => {
  /** Nothing is opened: what has been read is no longer old. And something is removed, but for what it is. */
  function expectUntouched(alsoRemoves = true): void {
    const seen = (): readonly string[] => readdirSync(temp, { recursive: true, encoding: 'utf8' }).toSorted()
    const before = seen()
    const goes = folder(`quorate-v23.0.0-x64-1-${UID}`)
    remove()
    expect(existsSync(goes)).toBe(!alsoRemoves)
    rmSync(goes, { recursive: true, force: true })
    expect(seen()).toEqual(before)
  }

  it.each([
    'quorate-bench-O3rz4O',
    'quorate-data-dir-3CXHMt',
    'quorate-v22.12.0-x64-250a7c-0.bak',
    `quorate-v22.12.0-x64-250a7c-${OTHERS}`,
    `quorate-v22.12.0-x64-250a7c-${UID}0`,
    `quorate-v22.12.0-x64-${UID}`,
    `quorate-v22.12-x64-250a7c-${UID}`,
    `quorate-22.12.0-x64-250a7c-${UID}`,
    `quorate-v22.12.0-x64-backup-${UID}`,
    `my-quorate-v22.12.0-x64-250a7c-${UID}`,
    // That of Node.js itself.
    `v22.12.0-x64-250a7c-${UID}`
  ])('another name: %s', (name) => {
    folder(name)
    expectUntouched()
  })

  it.each(['notes.txt', 'main.js', 'main.js-', 'main.js-xyz', 'main.js-123456789', 'main.js-1.bak', '.main.js-1.2'])(
    'a folder with %s in it, and with it the rest',
    (name) => {
      const path = folder(OTHER_V8)
      file(path, name, { written: OLD })
      age(path, { written: OLD })
      file(current, name, { written: OLD })
      file(current, 'up.js-1', { written: OLD })
      expectUntouched()
    }
  )

  it('a folder with a folder or a link in it by a name of ours, and what the link leads to', () => {
    const victim = file(temp, 'node.js-5', { written: OLD })
    const [first, second] = [folder(OTHER_V8), folder(`quorate-v25.0.0-x64-1-${UID}`)]
    mkdirSync(join(first, 'up.js-2'))
    symlinkSync(victim, join(second, 'up.js-2'))
    for (const path of [first, second]) age(path, { written: OLD })
    expectUntouched()
  })

  it('a link or a file in place of a folder', () => {
    renameSync(folder(OTHER_V8), join(temp, 'elsewhere'))
    symlinkSync(join(temp, 'elsewhere'), join(place, OTHER_V8))
    file(place, `quorate-v25.0.0-x64-1-${UID}`, { written: OLD })
    expectUntouched()
  })

  it.each([0o770, 0o707, 0o720, 0o1777])('a folder with the mode %o', (mode) => {
    chmodSync(folder(OTHER_V8), mode)
    expectUntouched()
  })

  it.skipIf(UID !== 0)('what belongs to somebody else: a folder, a file, a directory above', () => {
    const theirs = folder(OTHER_V8)
    for (const path of [theirs, ...readdirSync(theirs).map((name) => join(theirs, name))])
      chownSync(path, OTHERS, OTHERS)
    chownSync(join(folder(`quorate-v25.0.0-x64-1-${UID}`), 'node.js-1a'), OTHERS, OTHERS)
    expectUntouched()
    const path = folder(`quorate-v25.1.0-x64-1-${UID}`)
    for (const directory of [place, temp]) {
      chownSync(directory, OTHERS, OTHERS)
      expectUntouched(false)
      chownSync(directory, 0, 0)
    }
    remove()
    expect(existsSync(path)).toBe(false)
  })

  it('nor is code read from it: a folder by our name that is a link', () => {
    renameSync(current, join(temp, 'elsewhere'))
    symlinkSync(join(temp, 'elsewhere'), current)
    expect(compiledFolder()).toBe(undefined)
  })
})

describe.skipIf(UID === undefined)('beside other processes', () => {
  /** Up to where the first of three files is gone. */
  function begun(): { readonly path: string; readonly rest: Generator<void>; readonly left: string } {
    const path = folder(OTHER_V8, { written: OLD }, ['a.js-1', 'b.js-2', 'c.js-3'])
    const rest = removeUnused(current, new Set())
    rest.next()
    expect(readdirSync(path)).toHaveLength(2)
    return { path, rest, left: join(path, readdirSync(path)[0]!) }
  }

  it('a file that somebody uses meanwhile stays, and its folder', () => {
    const { path, rest, left } = begun()
    age(left, { written: OLD, read: 0 })
    expect(Array.from(rest)).toHaveLength(1)
    expect(readdirSync(path)).toEqual([basename(left)])
  })

  it('somebody who has it open reads to the end', () => {
    const { path, rest, left } = begun()
    const open = openSync(left, 'r')
    Array.from(rest)
    expect([existsSync(path), readFileSync(open, 'utf8')]).toEqual([false, 'compiled'])
    closeSync(open)
  })

  it('what somebody writes meanwhile stays', () => {
    const { path, rest } = begun()
    const draft = file(path, 'd.js-4.77', { written: 0 })
    Array.from(rest)
    expect(readdirSync(path)).toEqual([basename(draft)])
    renameSync(draft, join(path, 'd.js-4'))
    remove()
    expect(readdirSync(path)).toEqual(['d.js-4'])
  })

  it('several remove together what is old', () => {
    const path = folder(OTHER_V8, { written: OLD }, ['a.js-1', 'b.js-2', 'c.js-3'])
    const all = [0, 1, 2].map(() => removeUnused(current, new Set()))
    for (let going = all; going.length > 0;) going = going.filter((one) => one.next().done !== true)
    expect(existsSync(path)).toBe(false)
  })

  it.each([1, 2])('who is first goes on to the end when others remove a file that was looked at %i times', (looks) => {
    const path = folder(OTHER_V8, { written: OLD }, ['a.js-1', 'b.js-2', 'c.js-3'])
    let seen = 0
    others.act = (looked) => {
      if (looked.endsWith('/b.js-2') && ++seen === looks) rmSync(looked)
    }
    remove()
    expect([seen, existsSync(path)]).toEqual([2, false])
  })

  it('what is in their way hinders nobody: a folder that is gone, and the next', () => {
    const { path, rest } = begun()
    const next = folder(`quorate-v25.0.0-x64-1-${UID}`)
    rmSync(path, { recursive: true })
    Array.from(rest)
    remove()
    expect([existsSync(path), existsSync(next)]).toEqual([false, false])
  })
})
