/**
 * The whole gate: every check by name, then the tests, whose summary is the end of the output. All checks run even when
 * one fails, so that one run names everything; the tests run only when the checks hold.
 *
 * `node scripts/gate.ts --checks` leaves the tests out; further words go to vitest.
 */
import { spawnSync } from 'node:child_process'

const root = new URL('..', import.meta.url)

/** In the order in which a failure is cheapest to read. `build` comes before the three that look at the package. */
const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['types', 'tsc', '-p', '.'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['format', 'prettier', '--check', '--log-level', 'warn', '.'],
  ['build', 'npm', 'run', '--silent', 'build'],
  ['unused', 'knip', '--no-progress'],
  ['package', 'publint', 'run', '--strict', '--pack', 'false'],
  ['package types', 'attw', '--pack', '.', '--profile', 'esm-only', '--no-emoji', '--format', 'ascii']
]

const say = (line: string): boolean => process.stdout.write(`${line}\n`)

function runCheck([name, command, ...args]: (typeof checks)[number]): boolean {
  const started = performance.now()
  const run = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 })
  const ok = run.status === 0
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  say(`check ${name.padEnd(14)} ${ok ? 'ok' : 'FAILED'} (${seconds} s)`)
  if (!ok)
    say([`$ ${command} ${args.join(' ')}`, run.error?.message, run.stdout, run.stderr].filter(Boolean).join('\n'))
  return ok
}

const words = process.argv.slice(2)
const failed = checks.filter((check) => !runCheck(check)).map(([name]) => name)

if (failed.length > 0) {
  say(
    `\nThe gate is closed: ${failed.join(', ')} failed${words.includes('--checks') ? '' : '; the tests were not run'}.`
  )
  process.exitCode = 1
} else if (!words.includes('--checks')) {
  process.exitCode = spawnSync('vitest', ['run', ...words], { cwd: root, stdio: 'inherit' }).status ?? 1
}
