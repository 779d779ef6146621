/** The README shows what is there: its program is an example that the tests run, its links and commands exist. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { quorate } from '../cli/harness.ts'

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const read = (path: string): string => readFileSync(file(path), 'utf8')

const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'docs/PROTOCOL.md',
  'docs/GUARANTEES.md',
  'docs/RUNBOOKS.md',
  'docs/TESTING.md'
]

describe('README', () => {
  it('shows the embedding example, word for word', () => {
    const program = read('examples/embed.ts').replace(/^\/\*\*[\s\S]*?\*\/\s*/, '')
    const blocks = [...read('README.md').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code)
    expect(blocks).toEqual([program])
  })

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const named = pages.flatMap((page) => [...read(page).matchAll(/\bnpm run ([a-z:]+)/g)].map(([, name]) => name!))
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([])
  })

  it('names only subcommands that exist', () => {
    const words = pages
      .map(read)
      .join('\n')
      .matchAll(/`quorate ([a-z]+)\b/g)
    const named = [...words, ...read('README.md').matchAll(/^(?:npx )?quorate ([a-z]+)(?=\s)/gm)].map(
      ([, name]) => name!
    )
    expect(named.length).toBeGreaterThan(8)
    const known = (name: string): boolean => existsSync(file(`src/cli/commands/${name}.ts`))
    expect(named.filter((name) => !known(name))).toEqual([])
  })
})

describe.each(pages)('%s', (page) => {
  it('links to files that exist', () => {
    const folder = page.includes('/') ? page.slice(0, page.lastIndexOf('/') + 1) : ''
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target!)
    expect(links.filter((target) => !existsSync(file(folder + target)))).toEqual([])
  })
})

/** Commands change and pages stay behind: each one on these pages is taken apart by the command itself. */
describe('the runbooks', () => {
  const lines = [...read('docs/RUNBOOKS.md').matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, block]) => block!.split(/\n|&&/))
    .map((line) => line.replace(/#.*/, '').split(/[|>]/)[0]!.trim())
    .filter((line) => line.startsWith('quorate '))

  it('have commands', () => {
    expect(lines.length).toBeGreaterThan(8)
  })

  it.each([...new Set(lines)])('%s: has only options that exist', async (line) => {
    const [, name, sub] = line.split(/\s+/)
    const words = [name!, ...(name === 'token' || name === 'config' ? [sub!] : [])]
    const { out, code } = await quorate([...words, '--help'])
    expect(code).toBe(0)
    for (const option of line.match(/--[a-z-]+/g) ?? []) expect(out).toContain(`${option} `)
  })
})
