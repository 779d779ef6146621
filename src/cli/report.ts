/** How an error reaches the person or the program that ran the command. */
import { errorBody } from '../admin/index.ts'
import { QuorateError } from '../core/errors.ts'
import type { Io } from './io.ts'
import { printable } from './view/text.ts'

/** Beside the error itself: when, and for `up` which node. */
export type Stamp = Readonly<Record<string, unknown>>

/**
 * With --json: `{"event":"error", …}` is the last line on stdout, and `{"error": …}` goes to stderr, where a supervisor
 * that does not parse events looks. Otherwise: the message, the values, the next step, all on stderr.
 */
export function reportError(io: Io, error: unknown, json: boolean, stamp: Stamp = {}): void {
  if (!json) return void io.stderr.write(`${errorLines(error).join('\n')}\n`)
  const { details, nextStep, ...rest } = errorBody(error)
  io.stdout.write(`${JSON.stringify({ event: 'error', at: io.clock.wallNow(), ...stamp, ...errorBody(error) })}\n`)
  io.stderr.write(`${JSON.stringify({ error: { ...details, ...rest, hint: nextStep } })}\n`)
}

export function errorLines(error: unknown): readonly string[] {
  if (!(error instanceof QuorateError)) return bugLines(error)
  const values = Object.entries(error.details).map(([key, value]) => `  ${key}: ${valueText(value)}`)
  const next = error.nextStep === undefined ? [] : [`next: ${printable(error.nextStep)}`]
  return [`error: ${printable(error.message)}`, ...values, ...next]
}

function bugLines(error: unknown): readonly string[] {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return [
    ...`error: ${text}`.split('\n').map(printable),
    'next: This is a bug in quorate. Please report it with these lines.'
  ]
}

const valueText = (value: unknown): string =>
  printable(typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value)))
