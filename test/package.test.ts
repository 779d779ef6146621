import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const root = new URL('../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

interface Manifest {
  readonly version: string
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string } | string>>
  readonly files: readonly string[]
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
}

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly hasInstallScript?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const manifest = JSON.parse(read('package.json')) as Manifest
const { packages } = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, Locked>> }
const locked = Object.entries(packages).filter(([path]) => path !== '')
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

describe('the package', () => {
  it('opens only doors that have a source', () => {
    const doors = Object.values(manifest.exports).flatMap((door) => (typeof door === 'string' ? [] : [door]))
    expect(doors.length).toBeGreaterThan(2)
    for (const door of doors) {
      expect(door.types.replace(/\.d\.ts$/, '.js')).toBe(door.default)
      const source = door.default.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts')
      expect(existsSync(new URL(source, root)), source).toBe(true)
    }
  })

  it('packs only what exists', () => {
    for (const path of manifest.files.filter((file) => file !== 'dist')) {
      expect(existsSync(new URL(path, root)), path).toBe(true)
    }
  })

  it('has scripts that name files which exist', () => {
    const named = Object.values(manifest.scripts).flatMap((script) => script.match(/[\w/.-]+\.(?:ts|json)\b/g) ?? [])
    expect(named.length).toBeGreaterThan(5)
    expect(named.filter((path) => !existsSync(new URL(path, root)))).toEqual([])
  })

  it('lists every decision', () => {
    const index = read('docs/decisions/README.md')
    const decisions = readdirSync(new URL('docs/decisions/', root)).filter((file) => /^\d{4}-/.test(file))
    expect(decisions.filter((file) => !index.includes(`(${file})`))).toEqual([])
  })

  it('names exact versions, so that an install tomorrow is the one that was tested', () => {
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+$/)
    }
  })

  it('has a changelog whose newest entry is this version', () => {
    expect(/^## (\S+)/m.exec(read('CHANGELOG.md'))?.[1]).toBe(manifest.version)
  })

  it('may run the install scripts of development tools only, and of those that were looked at', () => {
    const scripted = locked
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => nameOf(path))
    expect(scripted.toSorted()).toEqual(Object.keys(manifest.allowScripts).toSorted())
    expect(scripted.filter((name) => name in manifest.dependencies)).toEqual([])
  })
})

describe('the lock file', () => {
  it('pins every package by its hash', () => {
    expect(locked.length).toBeGreaterThan(100)
    expect(
      locked.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true).map(([path]) => path)
    ).toEqual([])
  })

  it('holds the builds for every platform: otherwise `npm ci` fails on all of them', () => {
    const names = new Set(locked.map(([path]) => nameOf(path)))
    const missing = locked.flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => !names.has(name))
        .map((name) => `${nameOf(path)} needs ${name}`)
    )
    expect(missing).toEqual([])
  })
})
