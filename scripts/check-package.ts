/**
 * Installs the package as a user would, from its tarball into an empty project, and opens every door with every supported
 * Node.js: imports each entry, runs the command and a node, compiles a program against the types; then knocks with a Node.js
 * that is too old and expects one line. Needs the registry; takes about a minute.
 */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SUPPORTED = ['22.12.0', '24', '26']
const TOO_OLD = '20'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const temp = mkdtempSync(join(tmpdir(), 'quorate-package-'))
const run = promisify(execFile)
const say = (line: string): boolean => process.stdout.write(`${line}\n`)

interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

function check(holds: boolean, rule: string): void {
  if (!holds) throw new Error(rule)
  say(`ok  ${rule}`)
}

function pack(): Packed {
  const text = execFileSync('npm', ['pack', '--json', '--pack-destination', temp], { cwd: root, encoding: 'utf8' })
  // npm 12 keys the answer by name; before, it is a list. What `prepare` prints may stand before either.
  const answer = JSON.parse(text.slice(text.search(/^[[{]/m))) as Record<string, Packed>
  return Object.values(answer)[0]!
}

function checkFiles({ files }: Packed): void {
  const paths = files.map(({ path }) => path)
  const manifest = readFileSync(join(root, 'package.json'), 'utf8')
  const doors = [...manifest.matchAll(/"\.\/(dist\/[^"]+)"/g)].map(([, path]) => path!)
  for (const path of [...doors, 'bin/quorate.js', 'README.md', 'LICENSE', 'LICENSE-APACHE', 'LICENSE-MIT']) {
    check(paths.includes(path), `the tarball holds ${path}`)
  }
  const stray = paths.find(
    (path) => !/^(?:bin|dist|docs|examples|src)\/|^[A-Z][A-Z-]*(?:\.md)?$|^package\.json$/.test(path)
  )
  check(stray === undefined, `the tarball holds nothing else${stray === undefined ? '' : `, but there is ${stray}`}`)
}

/** A Node.js of this version from the registry, or our own when it fits. */
async function nodeFor(version: string): Promise<string> {
  if (process.versions.node.split('.')[0] === version) return process.execPath
  const folder = join(temp, `node-${version}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "allowScripts": { "node": true } }')
  await run('npm', ['install', '--no-save', '--no-audit', '--no-fund', `node@${version}`], { cwd: folder })
  return join(folder, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
}

async function project({ filename }: Packed): Promise<string> {
  const folder = join(temp, 'project')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', join(temp, filename)], { cwd: folder })
  writeFileSync(
    join(folder, 'import.js'),
    `for (const door of ['quorate', 'quorate/raft', 'quorate/conformance', 'quorate/simulation', 'quorate/testing']) {
      const names = Object.keys(await import(door))
      if (names.length === 0) throw new Error(door + ' exports nothing')
    }
    const { createNode } = await import('quorate')
    if (typeof createNode !== 'function') throw new Error('createNode is no function')`
  )
  writeFileSync(
    join(folder, 'program.ts'),
    `import { createNode } from 'quorate'
    import type { QuorateNode } from 'quorate'
    import * as raft from 'quorate/raft'
    import * as conformance from 'quorate/conformance'
    import * as simulation from 'quorate/simulation'
    import * as testing from 'quorate/testing'
    export const doors: object[] = [raft, conformance, simulation, testing]
    export const start = (dataDir: string): Promise<QuorateNode> => createNode({ dataDir })
    // @ts-expect-error: a data directory is a text, so the types are real and not any.
    export const wrong = createNode({ dataDir: 1 })`
  )
  return folder
}

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function end(file: string, args: readonly string[], cwd: string): Promise<Ended> {
  // Only this Node.js is in the way, as on a machine where nothing else is installed.
  const path = [dirname(file), join(cwd, 'node_modules', '.bin'), '/usr/bin', '/bin'].join(delimiter)
  try {
    return { code: 0, ...(await run(file, args, { cwd, env: { ...process.env, PATH: path }, timeout: 60_000 })) }
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string }
    return { code: typeof code === 'number' ? code : -1, stdout, stderr }
  }
}

async function checkSupported(version: string, node: string, folder: string): Promise<void> {
  const imported = await end(node, ['import.js'], folder)
  check(imported.code === 0, `Node.js ${version} imports every entry${imported.stderr}`)
  const help = await end(node, [join('node_modules', '.bin', 'quorate'), '--help'], folder)
  check(help.code === 0 && /usage/i.test(help.stdout), `Node.js ${version} runs quorate --help${help.stderr}`)
  const wrong = await end(node, [join('node_modules', '.bin', 'quorate'), 'no-such-command'], folder)
  check(wrong.code === 2, `Node.js ${version} ends an unknown command with exit code 2 (got ${wrong.code})`)
  const { code, stderr } = await founder(version, node, folder)
  check(code === 0 && stderr === '', `Node.js ${version} founds a cluster and stops, without a word${stderr}`)
}

/** Until it is ready. The flags that a V8 does not know are told on standard error, and nowhere else. */
async function founder(version: string, node: string, folder: string): Promise<Ended> {
  const quorate = join('node_modules', '.bin', 'quorate')
  const key = ['--plaintext-key', '--out', `made-${version}`]
  const made = await end(node, [quorate, 'init', '--name', 'package', '--seats', '1', ...key], folder)
  if (made.code !== 0) return made
  const token = ['--token', join(`made-${version}`, 'seat-1.token')]
  const where = ['--data', `data-${version}`, '--no-mdns', '--listen', '/ip4/127.0.0.1/tcp/0']
  const child = spawn(node, [quorate, 'up', '--json', ...where, ...token], { cwd: folder, timeout: 60_000 })
  const ended: { code: number; stdout: string; stderr: string } = { code: -1, stdout: '', stderr: '' }
  child.stderr.setEncoding('utf8').on('data', (text: string) => (ended.stderr += text))
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text
    // The second signal would end it at once.
    if (!child.killed && ended.stdout.includes('"event":"ready"')) child.kill('SIGTERM')
  })
  ended.code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve(status ?? -1))
  })
  return ended
}

async function checkTooOld(node: string, folder: string): Promise<void> {
  const { code, stdout, stderr } = await end(node, [join('node_modules', '.bin', 'quorate'), '--help'], folder)
  check(code === 8 && stdout === '', `Node.js ${TOO_OLD} is sent away with exit code 8`)
  const line = /^quorate needs Node\.js 22\.12 or newer; this is v20\.[\d.]+\n$/
  check(line.test(stderr), `Node.js ${TOO_OLD} gets one line`)
}

try {
  const packed = pack()
  checkFiles(packed)
  const versions = [...SUPPORTED, TOO_OLD]
  const [folder, ...nodes] = await Promise.all([project(packed), ...versions.map(nodeFor)])
  for (const [i, version] of SUPPORTED.entries()) await checkSupported(version, nodes[i]!, folder)
  await checkTooOld(nodes.at(-1)!, folder)
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const options = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', '--skipLibCheck']
  const types = await end(
    process.execPath,
    [tsc, ...options, '--typeRoots', join(root, 'node_modules', '@types'), 'program.ts'],
    folder
  )
  check(types.code === 0, `a program compiles against the types${types.stdout}`)
} catch (error) {
  const { message, stderr = '' } = error as Error & { stderr?: string }
  say(`FAILED  ${[message, stderr].join('\n').trim()}`)
  process.exitCode = 1
} finally {
  rmSync(temp, { recursive: true, force: true })
}
