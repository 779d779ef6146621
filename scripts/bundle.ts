/**
 * Bundles the command, with what it uses of its dependencies, into dist/command (docs/decisions/0010).
 *
 * The library stays as it is, a file for a file: programs bundle for themselves. The command starts a process each time, and
 * 700 small files cost it more than all they do: half of its start and a third of its memory. Code that no command reaches is
 * left out; commands are still loaded one by one. Nothing is renamed, so stack traces keep their names.
 *
 * Noise is always given our cryptography, so what it would fall back to is ours as well: its own is WebAssembly that compiles itself
 * when it is loaded, and a second elliptic curve in JavaScript.
 *
 * What is bundled is redistributed: the licences go with it.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

const NOISE = /\/@chainsafe\/libp2p-noise\/dist\/src\/noise\.js$/
const OURS = '\0noise-crypto'

const bundle = await rolldown({
  input: { main: at('dist/cli/main.js') },
  platform: 'node',
  plugins: [
    {
      name: 'our-cryptography',
      resolveId: (source, importer) =>
        source === './crypto/index.js' && NOISE.test(importer?.replaceAll('\\', '/') ?? '') ? OURS : undefined,
      load: (id) =>
        id === OURS
          ? `export { noiseCrypto as defaultCrypto } from ${JSON.stringify(at('dist/transport/libp2p/noise-crypto.js'))}`
          : undefined
    }
  ],
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
  comments: false,
  minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } }
})
await bundle.close()

if (
  output.some((chunk) => chunk.type === 'chunk' && chunk.moduleIds.some((id) => /\/as-chacha20poly1305\//.test(id)))
) {
  throw new Error('the bundle is not sound: Noise brings its own cryptography')
}

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
