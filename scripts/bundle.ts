/**
 * Bundles the command, with what it uses of its dependencies, into dist/command (docs/decisions/0010).
 *
 * The library stays as it is, a file for a file: programs bundle for themselves. The command starts a process each time, and
 * 700 small files cost it more than all they do: half of its start and a third of its memory. Code that no command reaches is
 * left out; commands are still loaded one by one. Nothing is renamed, so stack traces keep their names.
 *
 * Noise is always given our cryptography, so what it would fall back to is ours as well: its own is WebAssembly that compiles itself
 * when it is loaded, and a second elliptic curve in JavaScript. Of libp2p's keys only Ed25519 is there: curves in JavaScript make their
 * tables when they are loaded. Keys of other kinds are refused in the handshake then, instead of by admission.
 *
 * One character beyond Latin-1 would double the memory of the file that it is in, for as long as the process lives: such characters
 * are escaped.
 *
 * What is bundled is redistributed: the licences go with it.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import { type Plugin, rolldown } from 'rolldown'
import { wrapped } from '../src/cli/compiled.ts'
import { asCommonJs } from './commonjs.ts'

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

const LOADER = at('dist/cli/compiled.js')
const PROGRAM = at('dist/cli/program.js')
const UP = at('dist/cli/commands/up.js')
const RUN_UP = at('dist/cli/run-up.js')

/**
 * Modules of Node.js are asked for by `process.getBuiltinModule`, and only for what is used of them. A static import makes an ECMAScript
 * module of each first, which reads all its properties, those included that load further modules when they are read.
 */
const builtins: Plugin = {
  name: 'builtins',
  resolveId: {
    order: 'pre',
    handler(source, importer, { kind }) {
      // What rolldown puts in by itself comes before everything else.
      if (!isBuiltin(source) || importer?.startsWith('\0rolldown') === true) return undefined
      const name = `node:${source.replace(/^node:/, '')}`
      return { id: `\0${kind === 'require-call' ? 'require' : 'import'} ${name}`, moduleSideEffects: false }
    }
  },
  load(id) {
    const [, way, name] = /^\0(require|import) (node:.*)$/.exec(id) ?? []
    if (name === undefined) return undefined
    return way === 'require' ? `module.exports = process.getBuiltinModule('${name}')` : importable(name)
  }
}

function importable(name: string): string {
  const names = Object.keys(process.getBuiltinModule(name) ?? {}).filter((key) => /^[a-z_$][\w$]*$/i.test(key))
  return [
    `const it = process.getBuiltinModule('${name}')`,
    'const get = (name) => it[name]',
    'export default it',
    ...names
      .filter((key) => key !== 'default')
      .map((key, i) => `const _${i} = /* @__PURE__ */ get('${key}')\nexport { _${i} as ${key} }`)
  ].join('\n')
}

const NOISE = /\/@chainsafe\/libp2p-noise\/dist\/src\/noise\.js$/
const OURS = '\0noise-crypto'

/** What Noise falls back to is what it is given. */
const ourCryptography: Plugin = {
  name: 'our-cryptography',
  resolveId: (source, importer) =>
    source === './crypto/index.js' && NOISE.test(importer?.replaceAll('\\', '/') ?? '') ? OURS : undefined,
  load: (id) =>
    id === OURS
      ? `export { noiseCrypto as defaultCrypto } from ${JSON.stringify(at('dist/transport/libp2p/noise-crypto.js'))}`
      : undefined
}

/** Imported by libp2p's keys of every kind, and called for kinds that no member has; OpenSSL does what Ed25519 needs. */
const noCurves: Plugin = {
  name: 'no-curves',
  resolveId: (source, importer) =>
    source.startsWith('@noble/curves/') && importer?.replaceAll('\\', '/').includes('/@libp2p/crypto/') === true
      ? { id: `\0${source}`, moduleSideEffects: false }
      : undefined,
  load(id) {
    const [, name] = /^\0@noble\/curves\/(\w+)\.js$/.exec(id) ?? []
    if (name === undefined) return undefined
    const why = `the command has no ${name} in JavaScript: members have Ed25519 keys, and those are for OpenSSL`
    return `export const ${name} = new Proxy({}, { get() { throw new Error(${JSON.stringify(why)}) } })`
  }
}

/** Who imports whom, by what is loaded with it and what when it is asked for. */
interface Imports {
  readonly importedIds: readonly string[]
  readonly dynamicallyImportedIds: readonly string[]
}

const graph = new Map<string, Imports>()

/** All that is loaded when one of these is. */
function closure(...roots: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (id: string): void => {
    if (found.has(id)) return
    found.add(id)
    for (const imported of graph.get(id)?.importedIds ?? []) visit(imported)
  }
  for (const root of roots) visit(root)
  return found
}

const asksFor = (id: string): readonly string[] => graph.get(id)?.dynamicallyImportedIds ?? []

/** The steps of `up`, in their order: what is loaded together is one file. What only other commands load is left to rolldown. */
const steps: Readonly<Record<string, () => ReadonlySet<string>>> = {
  loader: () => closure(LOADER),
  program: () => closure(PROGRAM, at('dist/cli/io.js')),
  up: () => closure(UP),
  documents: () => inBoth(closure(RUN_UP), ofOtherCommands()),
  'run-up': () => closure(RUN_UP),
  node: () => closure(at('dist/node/create-node.js')),
  libp2p: () => closure(at('dist/transport/libp2p/create-libp2p.js')),
  mdns: () => closure(at('dist/discovery/mdns/index.js'))
}

function ofOtherCommands(): ReadonlySet<string> {
  const others = asksFor(PROGRAM).filter((id) => id !== UP)
  return closure(...others, ...others.flatMap(asksFor))
}

const inBoth = (a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...a].filter((id) => b.has(id)))

/** Asked when all modules have been read. */
let stepOf: ReadonlyMap<string, string> | undefined

function findSteps(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [step, modules] of Object.entries(steps)) {
    for (const id of modules()) if (!found.has(id)) found.set(id, step)
    if (![...found.values()].includes(step)) throw new Error(`the bundle has nothing for the step "${step}"`)
  }
  return found
}

const bundle = await rolldown({
  input: { main: at('dist/cli/main.js'), loader: LOADER },
  plugins: [
    ourCryptography,
    noCurves,
    builtins,
    { name: 'graph', moduleParsed: (info) => void graph.set(info.id, info) }
  ],
  platform: 'node',
  preserveEntrySignatures: 'allow-extension',
  checks: { eval: false },
  onwarn(warning) {
    // A name that cannot be resolved would be found out by a user.
    throw new Error(`the bundle is not sound: ${warning.message}`)
  }
})
const { output } = await bundle.write({
  dir: at('dist/command'),
  format: 'esm',
  chunkFileNames: '[name].js',
  codeSplitting: {
    groups: Object.keys(steps).map((name) => ({ name, test: (id) => (stepOf ??= findSteps()).get(id) === name }))
  },
  comments: false,
  minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } }
})
await bundle.close()

if (
  output.some((chunk) => chunk.type === 'chunk' && chunk.moduleIds.some((id) => /\/as-chacha20poly1305\//.test(id)))
) {
  throw new Error('the bundle is not sound: Noise brings its own cryptography')
}

/** In strings, templates and patterns, which is where they are, an escape means the same. */
const ascii = (code: string): string =>
  code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

for (const chunk of output) {
  if (chunk.type !== 'chunk') continue
  const code = asCommonJs(chunk.code, chunk.fileName)
  // What tells escapes from characters is left alone; a node has none of it.
  const text = code.includes('String.raw') ? code : ascii(code)
  // Throws where it could not be loaded.
  void new Script(wrapped(text), { filename: chunk.fileName })
  writeFileSync(at(`dist/command/${chunk.fileName}`), text)
}
writeFileSync(at('dist/command/package.json'), '{ "type": "commonjs" }\n')

const folders = new Set<string>()
for (const chunk of output) {
  if (chunk.type !== 'chunk') continue
  for (const id of chunk.moduleIds) {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replaceAll('\\', '/').replace(/^\0/, ''))?.[0]
    if (folder !== undefined) folders.add(folder)
  }
}

function notice(folder: string): string {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>
  const texts = readdirSync(folder)
    .filter((name) => /^(?:licen[cs]e|notice|copying)/i.test(name) && !/\.[jt]s$/.test(name))
    .toSorted()
    .map((name) => readFileSync(join(folder, name), 'utf8').trim())
  return [`${manifest['name']} ${manifest['version']} (${String(manifest['license'])})`, ...texts].join('\n\n')
}

const known = [...folders].filter((folder) => existsSync(join(folder, 'package.json'))).toSorted()
const rule = `\n\n${'-'.repeat(80)}\n\n`
writeFileSync(
  at('dist/command/THIRD-PARTY-NOTICES.txt'),
  `The files beside this one contain parts of these packages:${rule}${known.map(notice).join(rule)}\n`
)
