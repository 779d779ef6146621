/**
 * Mutation testing: changes the code in one small way after the other, and lists the changes that no test of the room noticed.
 *
 *   node scripts/mutate.ts src/raft/voting.ts src/raft/quorum.ts      these files
 *   node scripts/mutate.ts src/raft/log.ts:40-60                      these lines
 *   node scripts/mutate.ts src/formation                              all files of a room
 *
 * It runs StrykerJS in a copy of the project in the temporary directory, because Stryker brings two hundred packages that
 * nothing else needs. They are installed once for a package-lock.json, with a network, beside a copy of the project's own
 * packages, and that folder stays for the next run. The tests run in one process (mutate-runner.ts), so a change takes
 * milliseconds when a quick test notices it, and seconds when none does; not part of `npm test`. A survivor is a missing
 * test or code that does nothing; test/MUTANTS.md explains the ones that stay.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TESTS_FILE } from './mutate-runner.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const STRYKER = ['@stryker-mutator/core@10.1.1']
/** Test runners that are at work keep their caches in node_modules; those come and go. */
const isNoCache = (path: string): boolean => !/node_modules[\\/]\.vite/.test(path)
const PACKAGES = ['package.json', 'package-lock.json']
const NEEDED = [...PACKAGES, 'tsconfig.json', 'src', 'test', 'docs', 'scripts']

/** Models that are explored in seconds; that of raft takes too long to be explored for each change. */
const MODELS: Readonly<Record<string, readonly string[]>> = { formation: ['test/model/formation.model.test.ts'] }

interface Report {
  readonly files: Readonly<
    Record<
      string,
      {
        readonly source: string
        readonly mutants: readonly {
          readonly status: string
          readonly mutatorName: string
          readonly replacement?: string
          readonly location: { readonly start: { readonly line: number } }
        }[]
      }
    >
  >
}

const targets = process.argv.slice(2)
if (targets.length === 0 || targets.some((target) => !/^src\/\w[\w-]*(\/|$)/.test(target))) {
  process.stderr.write('usage: node scripts/mutate.ts src/<room>[/<file>.ts] ...\n')
  process.exit(2)
}
const rooms = [...new Set(targets.map((target) => target.split('/')[1]!))]

const folder = mkdtempSync(join(tmpdir(), 'quorate-mutate-'))
const project = join(folder, 'project')
const sandboxes = join(folder, 'sandboxes')
try {
  prepare()
  const status = run(
    process.execPath,
    [join(folder, 'node_modules/@stryker-mutator/core/bin/stryker.js'), 'run'],
    project
  )
  printSurvivors()
  process.exitCode = status
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function prepare(): void {
  mkdirSync(project)
  mkdirSync(sandboxes)
  for (const name of NEEDED) {
    cpSync(join(root, name), join(project, name), { recursive: true, verbatimSymlinks: true, filter: isNoCache })
  }
  // Above the copy and its sandboxes, so that each of them finds it.
  symlinkSync(join(installed(), 'node_modules'), join(folder, 'node_modules'))
  // Tables that lie beside the project are looked for beside each copy of it.
  const shared = join(dirname(root), 'shared')
  if (existsSync(shared)) for (const beside of [folder, sandboxes]) symlinkSync(shared, join(beside, 'shared'))
  const tests = rooms.flatMap((room) => [...testsIn(`test/${room}`), ...(MODELS[room] ?? [])])
  writeFileSync(join(project, TESTS_FILE), JSON.stringify(tests))
  const config = {
    testRunner: 'in-process',
    plugins: ['./scripts/mutate-runner.ts'],
    mutate: targets.map((target) => (isFolder(target) ? `${target}/**/*.ts` : target)),
    coverageAnalysis: 'perTest',
    concurrency: 1,
    // The runner itself gives up on tests without end; this is for those that wait.
    timeoutMS: 120_000,
    reporters: ['progress-append-only', 'json'],
    jsonReporter: { fileName: join(folder, 'report.json') },
    tempDirName: sandboxes,
    // Stryker would rewrite it with an interface that TypeScript 7 does not have; nothing here reads it.
    tsconfigFile: 'none.json'
  }
  writeFileSync(join(project, 'stryker.config.json'), JSON.stringify(config))
}

function isFolder(target: string): boolean {
  return statSync(join(root, target), { throwIfNoEntry: false })?.isDirectory() ?? false
}

function testsIn(place: string): readonly string[] {
  const names = readdirSync(join(root, place), { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.test.ts')).map((name) => `${place}/${name}`)
}

/** The folder with the project's packages and Stryker's. */
function installed(): string {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
  const versions = createHash('sha256')
    .update([lock, process.platform, ...STRYKER].join('\n'))
    .digest('hex')
  const place = join(tmpdir(), `quorate-mutate-tools-${versions.slice(0, 12)}`)
  if (existsSync(place)) return place
  const draft = join(folder, 'tools')
  mkdirSync(draft)
  for (const name of PACKAGES) cpSync(join(root, name), join(draft, name))
  const own = realpathSync(join(root, 'node_modules'))
  cpSync(own, join(draft, 'node_modules'), { recursive: true, verbatimSymlinks: true, filter: isNoCache })
  const status = run('npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', ...STRYKER], draft)
  if (status !== 0) throw new Error(`npm install of ${STRYKER.join(' and ')} ended with ${status}`)
  try {
    renameSync(draft, place)
  } catch (error) {
    // Another run that began at the same time was quicker: what it installed is the same.
    if (!existsSync(place)) throw error
    rmSync(draft, { recursive: true, force: true })
  }
  return place
}

function run(command: string, args: readonly string[], cwd: string): number {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' })
  return status ?? 1
}

function printSurvivors(): void {
  const path = join(folder, 'report.json')
  if (!existsSync(path)) return
  const { files } = JSON.parse(readFileSync(path, 'utf8')) as Report
  for (const [name, { source, mutants }] of Object.entries(files)) {
    const lines = source.split('\n')
    const left = mutants.filter(({ status }) => status !== 'Killed')
    const count = (wanted: RegExp): number => left.filter(({ status }) => wanted.test(status)).length
    const unnoticed = count(/Survived|NoCoverage/)
    process.stdout.write(
      `${name}: ${mutants.length} changes, ${unnoticed} unnoticed, ${count(/Timeout/)} without end\n`
    )
    for (const { status, location, mutatorName, replacement } of left) {
      const { line } = location.start
      const by = (replacement ?? '').replaceAll(/\s+/g, ' ').slice(0, 80)
      process.stdout.write(`  ${line} ${status}, ${mutatorName}: ${lines[line - 1]!.trim()}\n      => ${by}\n`)
    }
  }
}
