/**
 * The rules of the house as functions: a source file in, sentences out. `tidy.test.ts` runs them over the repository and
 * shows for each that it can fail.
 */
import { posix } from 'node:path'
import { lineAt } from './source.ts'
import type { Import, Source } from './source.ts'

export type Rule = (source: Source) => readonly string[]

interface Room {
  /** Other rooms of which it may import everything. */
  readonly uses: readonly string[]
  /** Other rooms of which it may import types. */
  readonly usesTypesOf?: readonly string[]
  /** Told things and answers with things to do: no Node.js API, package, promise or ambient state. */
  readonly pure?: boolean
}

const PURE = ['raft', 'formation', 'membership', 'replicated-config']
const BELOW_NODE = ['core', 'config-init', 'identity', ...PURE, 'discovery', 'replica', 'storage', 'transport']

/** The folder list of ARCHITECTURE.md, as a table. */
export const rooms: Readonly<Record<string, Room>> = {
  core: { uses: [] },
  'config-init': { uses: ['core'], usesTypesOf: ['raft', 'formation'], pure: true },
  // The certificate is formation's, signed; so are the claims in it.
  identity: { uses: ['core'], usesTypesOf: ['formation'] },
  raft: { uses: ['core'], pure: true },
  formation: { uses: ['core'], usesTypesOf: ['identity', 'raft'], pure: true },
  // Reads documents; the files of identity that touch keys and disks are kept from it by `pureRoomsTouchNoKey`.
  membership: { uses: ['core', 'identity'], usesTypesOf: ['formation'], pure: true },
  'replicated-config': { uses: ['core'], usesTypesOf: ['identity'], pure: true },
  discovery: { uses: ['core'] },
  replica: { uses: ['core', ...PURE], usesTypesOf: ['identity', 'config-init'], pure: true },
  storage: { uses: ['core'] },
  transport: { uses: ['core', 'membership'] },
  observability: { uses: ['core'] },
  node: { uses: [...BELOW_NODE, 'observability', 'admin'] },
  admin: { uses: ['core', 'observability'], usesTypesOf: ['node', 'replicated-config'] },
  conformance: { uses: ['core', 'storage', 'transport', 'discovery'] },
  simulation: { uses: [...BELOW_NODE, 'observability'] },
  testing: { uses: [...BELOW_NODE, 'observability', 'node'] },
  cli: { uses: [...BELOW_NODE, 'observability', 'admin', 'node', 'simulation', 'conformance'] }
}

/** Parts of a room that are pure although the room is not. */
const pureFiles = /^src\/discovery\/(?:dial-)?plan(?:ner)?\b/

export const roomOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1]

const isPure = ({ path }: Source): boolean => rooms[roomOf(path) ?? '']?.pure === true || pureFiles.test(path)

const place = (source: Source, line: number): string => `${source.path}:${line}`

/** Every match in the code of a file, as `path:line text`. */
function findAll(source: Source, pattern: RegExp, sentence: string): string[] {
  return [...source.code.matchAll(new RegExp(pattern, 'g'))].map(
    (match) => `${place(source, lineAt(source.code, match.index))} has \`${match[0]}\`: ${sentence}`
  )
}

const judgeImports = (source: Source, judge: (imported: Import) => string | undefined): string[] =>
  source.imports.flatMap((imported) => {
    const sentence = judge(imported)
    return sentence === undefined ? [] : [`${place(source, imported.line)} imports ${imported.specifier}: ${sentence}`]
  })

/** `src/…` of a relative import; undefined for packages. */
function targetOf(source: Source, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(source.path), specifier) : undefined
}

const isSource = ({ path }: Source): boolean => path.startsWith('src/')

export const roomsAreKnown: Rule = (source) => {
  const room = roomOf(source.path)
  return room === undefined || rooms[room] !== undefined
    ? []
    : [
        `${source.path} is in a room that the table does not know: add \`${room}\` to the rooms, with what it may import.`
      ]
}

export const roomsImportOnlyTheirNeighbours: Rule = (source) => {
  const from = roomOf(source.path)
  if (!isSource(source)) return []
  return judgeImports(source, ({ specifier, typeOnly }) => {
    const target = targetOf(source, specifier)
    if (target === undefined) return undefined
    if (!target.startsWith('src/')) return 'nothing in src reaches outside of src.'
    const to = roomOf(target)
    if (to === 'cli') return from === 'cli' ? undefined : 'nothing imports cli.'
    // The root of src is the public list of names; it may name every room but these.
    if (from === undefined)
      return to === 'simulation' || to === 'testing' ? `the main entry never loads ${to}.` : undefined
    if (to === undefined) return 'a room never imports the public list of names.'
    if (to === from) return undefined
    const room = rooms[from]
    if (room === undefined || room.uses.includes(to)) return undefined
    if (room.usesTypesOf?.includes(to) === true) {
      return typeOnly ? undefined : `${from} may import only types of ${to} (\`import type\`).`
    }
    return `${from} may import ${[...room.uses, ...(room.usesTypesOf ?? [])].join(', ') || 'nothing'}, and not ${to}.`
  })
}

export const pureRoomsImportNoWorld: Rule = (source) =>
  isPure(source)
    ? judgeImports(source, ({ specifier }) =>
        specifier.startsWith('.')
          ? undefined
          : 'a pure room imports no Node.js API and no package; it is told things and answers with things to do.'
      )
    : []

export const pureRoomsTouchNoKey: Rule = (source) =>
  isPure(source)
    ? judgeImports(source, ({ specifier, typeOnly }) =>
        /\/identity\/(?:key-\w+|index|signer|secret)\.ts$/.test(specifier) && !typeOnly
          ? 'a pure room reads documents; keys and their files stay outside.'
          : undefined
      )
    : []

export const pureRoomsAreSynchronous: Rule = (source) =>
  isPure(source)
    ? findAll(
        source,
        /\b(?:async\b|await\b|Promise\b|process\.|Buffer\b|queueMicrotask\b|structuredClone\b|globalThis\b|Date\b)/,
        'a pure room is synchronous and touches no ambient object.'
      )
    : []

const LIBP2P = /^(?:libp2p|@libp2p\/.*|@chainsafe\/libp2p-.*)$/
const LIBP2P_ROOMS =
  /^src\/(?:transport\/libp2p\/|discovery\/mdns|identity\/peer-|node\/(?:create-node|service)\b|testing\/local-node\b)/

export const libp2pStaysAtItsEdges: Rule = (source) =>
  isSource(source) && !LIBP2P_ROOMS.test(source.path)
    ? judgeImports(source, ({ specifier }) =>
        LIBP2P.test(specifier)
          ? 'libp2p is known only to transport/libp2p, discovery/mdns, identity/peer-*, node/create-node, node/service and testing/local-node.'
          : undefined
      )
    : []

/** Packages that one room keeps to itself. */
const owners: readonly (readonly [name: RegExp, allowed: RegExp, sentence: string])[] = [
  [/^@noble\//, /^src\/identity\//, 'signatures and their hashes are the business of identity.'],
  [/^fs-native-extensions$/, /^src\/storage\//, 'file locks are the business of storage.'],
  [/^commander$/, /^src\/cli\//, 'command lines are the business of cli.'],
  [/^pino$/, /^src\/(?:observability|node|cli)\//, 'only observability, node and cli know the logger.']
]

export const packagesStayWithTheirRoom: Rule = (source) =>
  isSource(source)
    ? judgeImports(
        source,
        ({ specifier }) => owners.find(([name, allowed]) => name.test(specifier) && !allowed.test(source.path))?.[2]
      )
    : []

const TIME =
  /(?<![.\w$])(?:Date\.now\b|new Date\s*\(\s*\)|new Date\b(?!\s*\()|Date\s*\(\s*\)(?<!new Date\s*\(\s*\))|(?:set|clear)(?:Timeout|Interval|Immediate)\b|performance\.\w+|process\.(?:hrtime|uptime)\b|AbortSignal\.timeout\b)/

export const timeIsAmbientOnlyInTheClock: Rule = (source) => {
  if (!isSource(source) || source.path === 'src/core/clock.ts') return []
  const sentence = 'clocks and timers are ambient only in core/clock; take a Clock.'
  return [
    ...findAll(source, TIME, sentence),
    ...judgeImports(source, ({ specifier }) => (/^node:(?:timers|perf_hooks)/.test(specifier) ? sentence : undefined))
  ]
}

const CHANCE =
  /(?<![.\w$])(?:Math\.random\b|(?:crypto|webcrypto)\.(?:getRandomValues|randomUUID|randomBytes)\b|random(?:Bytes|FillSync|Fill|UUID|Int)\b)/

export const chanceIsAmbientOnlyInRandom: Rule = (source) =>
  isSource(source) && source.path !== 'src/core/random.ts' && roomOf(source.path) !== 'identity'
    ? findAll(source, CHANCE, 'chance is ambient only in core/random and identity; take a Random or secureBytes.')
    : []

export const coreImportsOnlyHashAndChance: Rule = (source) =>
  roomOf(source.path) === 'core'
    ? judgeImports(source, ({ specifier }) =>
        specifier.startsWith('.') ||
        (specifier === 'node:crypto' && /^src\/core\/(?:hash|random)\.ts$/.test(source.path))
          ? undefined
          : 'core imports nothing but node:crypto, for its hash and its chance.'
      )
    : []

export const builtinsCarryTheirScheme: Rule = (source) =>
  judgeImports(source, ({ specifier }) =>
    /^(?:fs|path|os|net|dgram|crypto|events|stream|util|url|child_process|worker_threads|assert|timers|process|buffer|zlib|dns|tty|readline)(?:\/.*)?$/.test(
      specifier
    )
      ? 'Node.js modules are imported by their `node:` names.'
      : undefined
  )

export const exportsHaveNames: Rule = (source) =>
  // Vitest reads its config from a default export.
  source.path === 'vitest.config.ts'
    ? []
    : findAll(source, /\bexport\s+default\b|\bas\s+default\b(?=[^;\n]*\})/, 'exports have names; no default exports.')

export const relativeImportsNameTheFile: Rule = (source) =>
  judgeImports(source, ({ specifier }) =>
    specifier.startsWith('.') && !/\.(?:ts|js|json)$/.test(specifier)
      ? 'a relative import names the file, with its ending.'
      : undefined
  )

export const filesAreKebabCase: Rule = ({ path }) => {
  const odd = path.split('/').find((part) => !/^\.?[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z]+)*$/.test(part))
  return odd === undefined ? [] : [`${path}: files and folders are kebab-case, and \`${odd}\` is not.`]
}

export const nothingIsCalledUtils: Rule = ({ path }) =>
  /(?:^|[/-])(?:utils?|helpers?|misc|common)(?:[./-]|$)/.test(path)
    ? [`${path}: a file is named after what it holds; nothing is called utils.`]
    : []

export const sourcesBeginWithProse: Rule = (source) =>
  !isSource(source) || /^(?:#!.*\n)?\/(?:\*\*|\/) ?\S|^\/\*\*\n \* \S/.test(source.text)
    ? []
    : [`${source.path} begins without a comment: every source file says at its top what it is and why.`]

/** Patterns are put together from pieces, so that this file does not match itself. */
export const joined = (...pieces: readonly string[]): string => pieces.join('')

const machinePatterns: readonly (readonly [pattern: string, what: string])[] = [
  [joined('(?<![\\w.~-])/', 'work', '/'), 'a path of somebody’s machine'],
  [joined('(?<![\\w.~-])/(?:', 'home|root', '|Users)/\\w'), 'a path of somebody’s machine'],
  [joined('\\bregis', 'try\\.(?:npmjs|yarnpkg|npmmirror)\\b'), 'the host of a package registry'],
  [joined('"resol', 'ved": "https?:'), 'the host of a package registry']
]

/** For every file of the repository, whatever its kind. */
export function textNamesNoMachine(path: string, text: string): readonly string[] {
  return machinePatterns.flatMap(([pattern, what]) => {
    const match = new RegExp(pattern).exec(text)
    return match === null ? [] : [`${path}:${lineAt(text, match.index)} names ${what} (\`${match[0]}\`).`]
  })
}

export const sourceRules: Readonly<Record<string, Rule>> = {
  roomsAreKnown,
  roomsImportOnlyTheirNeighbours,
  pureRoomsImportNoWorld,
  pureRoomsTouchNoKey,
  pureRoomsAreSynchronous,
  libp2pStaysAtItsEdges,
  packagesStayWithTheirRoom,
  timeIsAmbientOnlyInTheClock,
  chanceIsAmbientOnlyInRandom,
  coreImportsOnlyHashAndChance,
  builtinsCarryTheirScheme,
  exportsHaveNames,
  relativeImportsNameTheFile,
  filesAreKebabCase,
  nothingIsCalledUtils,
  sourcesBeginWithProse
}
