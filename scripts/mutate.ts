/**
 * Mutation testing: changes the code in one small way after the other, and lists the changes that no test of the room noticed.
 *
 *   node scripts/mutate.ts src/raft/voting.ts src/raft/quorum.ts      these files
 *   node scripts/mutate.ts src/formation                              all files of a room
 *
 * It runs StrykerJS in a copy of the project in the temporary directory, because Stryker brings two hundred packages that
 * nothing else needs: the copy installs them for itself, with a network. Takes seconds for each change, so minutes for a file
 * and hours for a room; not part of `npm test`. A survivor is a missing test or code that does nothing; test/MUTANTS.md
 * explains the ones that stay.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const STRYKER = ['@stryker-mutator/core@10.1.1', '@stryker-mutator/vitest-runner@10.1.1']
/** Test runners that are at work keep their caches in node_modules; those come and go. */
const isNoCache = (path: string): boolean => !/node_modules[\\/]\.vite/.test(path)
const NEEDED = ['package.json', 'package-lock.json', 'tsconfig.json', 'node_modules', 'src', 'test', 'docs', 'scripts']

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
  run('npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', ...STRYKER])
  const status = run(process.execPath, [join(project, 'node_modules/@stryker-mutator/core/bin/stryker.js'), 'run'])
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
  // Tables that lie beside the project are looked for beside each copy of it.
  const shared = join(dirname(root), 'shared')
  if (existsSync(shared)) for (const beside of [folder, sandboxes]) symlinkSync(shared, join(beside, 'shared'))
  const include = rooms.flatMap((room) => [`test/${room}/**/*.test.ts`, ...(MODELS[room] ?? [])])
  writeFileSync(
    join(project, 'vitest.mutate.config.mjs'),
    `export default { test: { testTimeout: 30_000, include: ${JSON.stringify(include)} } }\n`
  )
  const config = {
    testRunner: 'vitest',
    plugins: ['@stryker-mutator/vitest-runner'],
    vitest: { configFile: 'vitest.mutate.config.mjs' },
    mutate: targets.map((target) => (statSync(join(root, target)).isDirectory() ? `${target}/**/*.ts` : target)),
    coverageAnalysis: 'perTest',
    concurrency: 1,
    timeoutMS: 20_000,
    reporters: ['progress-append-only', 'json'],
    jsonReporter: { fileName: join(folder, 'report.json') },
    tempDirName: sandboxes,
    // Stryker would rewrite it with an interface that TypeScript 7 does not have; nothing here reads it.
    tsconfigFile: 'none.json'
  }
  writeFileSync(join(project, 'stryker.config.json'), JSON.stringify(config))
}

function run(command: string, args: readonly string[]): number {
  const { status } = spawnSync(command, args, { cwd: project, stdio: 'inherit' })
  return status ?? 1
}

function printSurvivors(): void {
  const path = join(folder, 'report.json')
  if (!existsSync(path)) return
  const { files } = JSON.parse(readFileSync(path, 'utf8')) as Report
  for (const [name, { source, mutants }] of Object.entries(files)) {
    const lines = source.split('\n')
    const left = mutants.filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
    process.stdout.write(`${name}: ${mutants.length} changes, ${left.length} unnoticed\n`)
    for (const { location, mutatorName, replacement } of left) {
      const { line } = location.start
      const by = (replacement ?? '').replaceAll(/\s+/g, ' ').slice(0, 80)
      process.stdout.write(`  ${line} ${mutatorName}: ${lines[line - 1]!.trim()}\n      => ${by}\n`)
    }
  }
}
