/** Runs a command line in this process, on streams and a clock of its own. */
import { PassThrough } from 'node:stream'
import { systemClock } from '../../src/core/clock.ts'
import type { Io } from '../../src/cli/io.ts'
import { Interrupted } from '../../src/cli/cli-errors.ts'
import { run } from '../../src/cli/program.ts'

export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
  /** The lines of stdout as JSON. */
  readonly json: () => Record<string, unknown>[]
}

export interface RunOptions {
  readonly stdin?: string
  readonly env?: Record<string, string>
  readonly tty?: boolean
}

export interface Running {
  readonly done: Promise<Outcome>
  readonly stdin: PassThrough
  /** What has come on stdout so far. */
  out(): string
  interrupt(signal: string): void
}

export function start(argv: readonly string[], options: RunOptions = {}): Running {
  const stdin = new PassThrough()
  if (options.stdin !== undefined) stdin.end(options.stdin)
  const interrupt = new AbortController()
  const out = collect()
  const err = collect()
  const tty = options.tty === true ? { isTTY: true, columns: 80, rows: 40 } : {}
  const io: Io = {
    stdin: Object.assign(stdin, options.tty === true ? { isTTY: true } : {}),
    stdout: Object.assign(out.stream, tty),
    stderr: Object.assign(err.stream, tty),
    env: options.env ?? {},
    clock: systemClock,
    interrupt: interrupt.signal
  }
  const done = run(argv, io).then((code) => outcome(code, out.text(), err.text()))
  return { done, stdin, out: out.text, interrupt: (signal) => interrupt.abort(new Interrupted(signal)) }
}

export const quorate = (argv: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  start(argv, options).done

const outcome = (code: number, out: string, err: string): Outcome => ({
  code,
  out,
  err,
  json: () =>
    out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
})

function collect(): { readonly stream: PassThrough; readonly text: () => string } {
  const stream = new PassThrough()
  let text = ''
  stream.setEncoding('utf8')
  // A PassThrough hands on synchronously: a chunk that was written has been seen here.
  stream.on('data', (chunk: string) => (text += chunk))
  return { stream, text: () => text }
}
