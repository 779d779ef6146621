/** Lives of a small command, one after the other: what each finds compiled, and what it leaves. */
import { execFile } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const CHILD = fileURLToPath(new URL('compiled-child.ts', import.meta.url))

const uncalled = `exports.uncalled=[${Array.from({ length: 100 }, (_, i) => `(a, b) => [a, b, ${i}].map((x) => x + 1),`).join('')}]`
const PARTS: Readonly<Record<string, string>> = {
  'main.js': `const{of}=require("./node.js");exports.answer=()=>of(require("./other.js").six)`,
  'node.js': `exports.of=(x)=>x*7;${uncalled}`,
  'other.js': `exports.six=6;${uncalled}`
}

let temp: string
let parts: string
let cache: string

beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'quorate-compiled-'))
  parts = join(temp, 'parts')
  cache = join(temp, 'cache')
  mkdirSync(parts)
  for (const [name, text] of Object.entries(PARTS)) writeFileSync(join(parts, name), text)
})

afterEach(() => {
  rmSync(temp, { recursive: true, force: true })
})

/** What it answers; everything that it says on standard error fails the test. */
async function live(
  words: readonly ('flags' | 'settle' | 'age' | 'keep')[] = [],
  env: NodeJS.ProcessEnv = {}
): Promise<unknown> {
  const flags = ['--experimental-strip-types', '--no-warnings']
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...flags, CHILD, parts, ...words], {
    env: { ...process.env, NODE_COMPILE_CACHE: cache, NODE_OPTIONS: '', ...env }
  })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

const folder = (): string =>
  join(
    cache,
    readdirSync(cache).find((name) => name.startsWith(`quorate-${process.version}-`))!
  )

/** What is kept, by part: its lives and its bytes. */
function kept(): Readonly<Record<string, { readonly lives: number; readonly bytes: number }>> {
  return Object.fromEntries(
    readdirSync(folder())
      .toSorted()
      .map((name) => {
        const bytes = readFileSync(join(folder(), name))
        return [name.replace(/-\w+$/, ''), { lives: bytes.readUInt32LE(bytes.length - 8), bytes: bytes.length }]
      })
  )
}

const livesOf = (): readonly number[] => Object.values(kept()).map(({ lives }) => lives)

describe('compiled code', () => {
  it('is kept for the next life, which adds to it, until three have', async () => {
    for (const lives of [1, 2, 3, 3]) {
      // Were it refused or not read, this would be the first life again.
      expect(await live(['settle', 'flags', 'keep'])).toBe(42)
      expect(livesOf()).toEqual([lives, lives, lives])
    }
  })

  it('is whole for what is ours, and elsewhere what has been called', async () => {
    await live(['settle', 'keep'])
    const { 'node.js': ours, 'other.js': theirs } = kept()
    expect(ours!.bytes).toBeGreaterThan(3 * theirs!.bytes)
    // Read and written again, it still is.
    await live(['settle', 'keep'])
    expect(kept()['node.js']!.bytes).toBeGreaterThan(ours!.bytes * 0.9)
  })

  it('of a command that is no node is left when it ends, and does not count as a life', async () => {
    await live()
    expect(livesOf()).toEqual([0, 0, 0])
    await live(['settle', 'keep'])
    expect(livesOf()).toEqual([1, 1, 1])
    await live()
    expect(livesOf()).toEqual([1, 1, 1])
  })

  it('of a node that ends before it has lived for a while is left to the next', async () => {
    await live(['settle', 'flags'])
    expect(readdirSync(folder())).toEqual([])
  })

  it('belongs to one text', async () => {
    await live(['settle', 'keep'])
    writeFileSync(join(parts, 'other.js'), PARTS['other.js']!.replace('six=6', 'six=5'))
    expect(await live(['settle', 'keep'])).toBe(35)
    const lives = readdirSync(folder()).map((name) => [name.replace(/-\w+$/, ''), readFileSync(join(folder(), name))])
    expect(lives.filter(([name]) => name === 'other.js')).toHaveLength(2)
    expect(lives.filter(([name]) => name === 'main.js')).toHaveLength(1)
  })

  it.each([
    ['a changed byte', (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte, i) => (i === 500 ? byte ^ 1 : byte)))],
    ['a missing end', (bytes: Buffer): Buffer => bytes.subarray(0, -1)],
    ['nothing', (): Buffer => Buffer.alloc(0)]
  ])('is not read with %s', async (_, damage) => {
    await live(['settle', 'keep'])
    await live(['settle', 'keep'])
    for (const name of readdirSync(folder())) {
      const file = join(folder(), name)
      writeFileSync(file, damage(readFileSync(file)))
    }
    expect(await live(['settle', 'keep'])).toBe(42)
    expect(livesOf()).toEqual([1, 1, 1])
  })

  it.skipIf(process.getuid === undefined).each([
    ['a node', ['settle', 'keep']],
    ['another command', []]
  ] as const)(
    'that nobody uses any more is removed when %s keeps something new, and not at each start',
    async (_, words) => {
      await live(words)
      const other = join(cache, `quorate-v1.0.0-x64-250a7c-${process.getuid!()}`)
      mkdirSync(other, { mode: 0o700 })
      const old = [join(other, 'main.js-1'), join(folder(), 'main.js-1')]
      for (const file of old) writeFileSync(file, '')
      for (const path of [...old, other]) utimesSync(path, 0, 0)
      await live(words)
      expect(old.filter((path) => existsSync(path))).toEqual(old)
      writeFileSync(join(parts, 'other.js'), PARTS['other.js']!.replace('six=6', 'six=5'))
      expect(await live(words)).toBe(35)
      expect([...old, other].filter((path) => existsSync(path))).toEqual([])
      // Two texts of one part: the former is not old.
      expect(readdirSync(folder())).toHaveLength(4)
    }
  )

  it('that a life has found stays, however old it seems', async () => {
    await live()
    writeFileSync(join(parts, 'other.js'), PARTS['other.js']!.replace('six=6', 'six=5'))
    await live(['age'])
    // Three that are in use; what was kept of the former text has aged.
    expect(Object.keys(kept())).toEqual(['main.js', 'node.js', 'other.js'])
    expect(readdirSync(folder())).toHaveLength(3)
  })

  it.skipIf(process.getuid === undefined)('is neither read nor written where others may write', async () => {
    await live(['settle', 'keep'])
    chmodSync(folder(), 0o777)
    expect(await live(['settle', 'keep'])).toBe(42)
    expect(livesOf()).toEqual([1, 1, 1])
  })

  it('is not kept where the user of Node.js says so, or where nothing can be', async () => {
    expect(await live(['keep'], { NODE_DISABLE_COMPILE_CACHE: '1' })).toBe(42)
    expect(() => readdirSync(cache)).toThrow('ENOENT')
    writeFileSync(cache, 'in the way')
    expect(await live(['settle', 'keep'])).toBe(42)
  })
})

describe('parts', () => {
  it('that need each other are refused, and one that is not there is named', async () => {
    writeFileSync(join(parts, 'node.js'), `require("./main.js")`)
    expect(await live()).toBe('Error: main.js needs itself')
    writeFileSync(join(parts, 'node.js'), `require("./missing.js")`)
    expect(await live()).toContain('missing.js')
  })
})
