import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { joined, sourceRules, textNamesNoMachine } from './tidy/rules.ts'
import { readSource } from './tidy/source.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const ignored = new Set(['node_modules', 'dist', 'coverage', '.git', 'artifacts'])

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (ignored.has(entry.name)) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [relative(root, path).split(sep).join('/')] : []
  })
}

const files = filesBelow(root)
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const sources = files.filter((path) => path.endsWith('.ts')).map((path) => readSource(path, read(path)))

describe('the house', () => {
  it('has something to look at', () => {
    expect(sources.filter(({ path }) => path.startsWith('src/')).length).toBeGreaterThan(50)
    expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(200)
  })

  it.each(Object.entries(sourceRules))('%s', (_, rule) => {
    expect(sources.flatMap(rule)).toEqual([])
  })

  it('textNamesNoMachine', () => {
    expect(files.flatMap((path) => textNamesNoMachine(path, read(path)))).toEqual([])
  })
})

describe('each rule can fail', () => {
  const planted: readonly (readonly [rule: string, path: string, text: string, sentence: string])[] = [
    ['roomsAreKnown', 'src/shed/a.ts', '', 'does not know'],
    [
      'roomsImportOnlyTheirNeighbours',
      'src/raft/a.ts',
      `import { a } from '../storage/port.ts'`,
      'raft may import core'
    ],
    ['roomsImportOnlyTheirNeighbours', 'src/raft/a.ts', `export * from '../storage/port.ts'`, 'not storage'],
    ['roomsImportOnlyTheirNeighbours', 'src/raft/a.ts', `import type { A } from '../node/types.ts'`, 'not node'],
    ['roomsImportOnlyTheirNeighbours', 'src/node/a.ts', `await import('../simulation/world.ts')`, 'not simulation'],
    ['roomsImportOnlyTheirNeighbours', 'src/node/a.ts', `import { a } from '../cli/main.ts'`, 'nothing imports cli'],
    ['roomsImportOnlyTheirNeighbours', 'src/index.ts', `export { a } from './cli/main.ts'`, 'nothing imports cli'],
    [
      'roomsImportOnlyTheirNeighbours',
      'src/index.ts',
      `export { a } from './simulation/a.ts'`,
      'never loads simulation'
    ],
    ['roomsImportOnlyTheirNeighbours', 'src/index.ts', `export { a } from './testing/a.ts'`, 'never loads testing'],
    ['roomsImportOnlyTheirNeighbours', 'src/node/a.ts', `import { a } from '../index.ts'`, 'public list'],
    ['roomsImportOnlyTheirNeighbours', 'src/node/a.ts', `import { a } from '../../test/a.ts'`, 'outside of src'],
    ['roomsImportOnlyTheirNeighbours', 'src/formation/a.ts', `import { a } from '../identity/a.ts'`, 'only types'],
    ['pureRoomsImportNoWorld', 'src/raft/a.ts', `import 'node:fs'`, 'a pure room imports'],
    ['pureRoomsImportNoWorld', 'src/replica/a.ts', `import type { Libp2p } from 'libp2p'`, 'a pure room imports'],
    ['pureRoomsImportNoWorld', 'src/discovery/planner.ts', `import { lookup } from "node:dns"`, 'a pure room imports'],
    ['pureRoomsTouchNoKey', 'src/membership/a.ts', `import { a } from '../identity/key-store.ts'`, 'keys and their'],
    ['pureRoomsTouchNoKey', 'src/membership/a.ts', `import { a } from '../identity/index.ts'`, 'keys and their'],
    ['pureRoomsAreSynchronous', 'src/formation/a.ts', `export async function a() {}`, '`async`'],
    ['pureRoomsAreSynchronous', 'src/raft/a.ts', 'const a = `${await b}`', '`await`'],
    [
      'libp2pStaysAtItsEdges',
      'src/node/driver.ts',
      `import { noise } from '@chainsafe/libp2p-noise'`,
      'libp2p is known'
    ],
    ['libp2pStaysAtItsEdges', 'src/cli/a.ts', `const a = await import('libp2p')`, 'libp2p is known'],
    ['packagesStayWithTheirRoom', 'src/node/a.ts', `import { verify } from '@noble/ed25519'`, 'business of identity'],
    ['packagesStayWithTheirRoom', 'src/node/a.ts', `import { Command } from 'commander'`, 'business of cli'],
    ['timeIsAmbientOnlyInTheClock', 'src/node/a.ts', 'const a = Date.now()', 'Date.now'],
    ['timeIsAmbientOnlyInTheClock', 'src/node/a.ts', 'const a = new Date()', 'new Date()'],
    ['timeIsAmbientOnlyInTheClock', 'src/cli/a.ts', 'setTimeout(() => {}, 1)', 'setTimeout'],
    ['timeIsAmbientOnlyInTheClock', 'src/cli/a.ts', 'const a = `${performance.now()}`', 'performance.now'],
    ['timeIsAmbientOnlyInTheClock', 'src/cli/a.ts', 'f({ signal: AbortSignal.timeout(5) })', 'AbortSignal.timeout'],
    ['timeIsAmbientOnlyInTheClock', 'src/cli/a.ts', `import { scheduler } from 'node:timers/promises'`, 'take a Clock'],
    ['chanceIsAmbientOnlyInRandom', 'src/raft/a.ts', 'const a = Math.random()', 'Math.random'],
    ['chanceIsAmbientOnlyInRandom', 'src/node/a.ts', 'const a = crypto.randomUUID()', 'crypto.randomUUID'],
    ['chanceIsAmbientOnlyInRandom', 'src/node/a.ts', `import { randomBytes } from 'node:crypto'`, 'randomBytes'],
    [
      'coreImportsOnlyHashAndChance',
      'src/core/a.ts',
      `import { createHash } from 'node:crypto'`,
      'core imports nothing'
    ],
    ['builtinsCarryTheirScheme', 'src/node/a.ts', `import { readFile } from 'fs/promises'`, '`node:` names'],
    ['exportsHaveNames', 'src/node/a.ts', 'export default 1', 'no default exports'],
    ['exportsHaveNames', 'src/node/a.ts', 'export { a as default }', 'no default exports'],
    ['relativeImportsNameTheFile', 'src/node/a.ts', `import { a } from './b'`, 'names the file'],
    ['filesAreKebabCase', 'src/node/createNode.ts', '', 'kebab-case'],
    ['filesAreKebabCase', 'src/node_stuff/a.ts', '', 'kebab-case'],
    ['nothingIsCalledUtils', 'src/node/utils.ts', '', 'nothing is called utils'],
    ['nothingIsCalledUtils', 'src/node/string-utils.ts', '', 'nothing is called utils'],
    ['sourcesBeginWithProse', 'src/node/a.ts', `import { a } from './b.ts'\n/** Late. */`, 'begins without a comment']
  ]

  it.each(planted)('%s: %s', (name, path, text, sentence) => {
    const found = sourceRules[name]!(readSource(path, text))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(sentence)
  })

  it('and every rule has a planted violation', () => {
    expect(new Set(planted.map(([rule]) => rule))).toEqual(new Set(Object.keys(sourceRules)))
  })

  it.each([
    [joined('cat /', 'work/main/a'), 'path'],
    [joined('/', 'home/ann/a'), 'path'],
    [joined('https://regis', 'try.npmjs.org/a'), 'registry']
  ])('textNamesNoMachine: %s', (text, what) => {
    expect(textNamesNoMachine('docs/a.md', `line\n${text}`)[0]).toMatch(new RegExp(`^docs/a.md:2 names .*${what}`))
  })

  const innocent: readonly (readonly [path: string, text: string])[] = [
    [
      'src/raft/a.ts',
      `/** Not \`await\`, not Date.now(). */\nimport type { A } from '../core/a.ts'\n// import '../cli/main.ts'`
    ],
    ['src/raft/b.ts', `/** Text. */\nexport const a = "import { x } from '../cli/main.ts'; setTimeout()"`],
    ['src/raft/c.ts', '/** Text. */\nexport const a = `Promise ${b(`async ${c}`)} await`'],
    ['src/raft/d.ts', "/** Text. */\nexport const a = /['\"`]/.test(b) ? c / d : e / f // '"],
    ['src/formation/e.ts', `/** Text. */\nexport type { A } from '../identity/types.ts'`],
    ['src/cli/f.ts', `/** Text. */\nexport const iso = (ms: number) => new Date(ms).toISOString()`],
    ['src/node/g.ts', `/** Text. */\nimport {\n  a,\n  b\n} from '../raft/index.ts'\nconst c = clock.setTimer(5, d)`]
  ]
  it.each(innocent)('and leaves the innocent alone: %s', (path, text) => {
    const source = readSource(path, text)
    expect(Object.values(sourceRules).flatMap((rule) => rule(source))).toEqual([])
  })

  it('sees every form of import', () => {
    const text = `import a from 'a'
import { b } from "b"
import type { C } from 'c'
import * as d from 'd'
import e, { f } from 'e'
import 'g'
export * from 'h'
export * as i from 'i'
export { j } from 'j'
export type { K } from 'k'
const l = await import('l')
import type from 'm'
import { type N } from 'n'
type O = import('o').O
obj.import('not')
const from = 'not'`
    const { imports } = readSource('src/a.ts', text)
    expect(imports.map(({ specifier }) => specifier).join('')).toBe('abcdeghijklmno')
    expect(imports.filter(({ typeOnly }) => typeOnly).map(({ specifier }) => specifier)).toEqual(['c', 'k'])
    expect(imports.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
  })
})
