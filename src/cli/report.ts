/** How an error reaches the person or the program that ran the command. */
import { errorBody, plainValue } from '../admin/index.ts'
import { QuorateError } from '../core/errors.ts'
import type { Io } from './io.ts'
import { withoutTokens } from './secret-text.ts'
import { printable } from './view/text.ts'

const BUG_HINT = 'This is a bug in quorate. Please report it with these lines.'

/**
 * Always on stderr: stdout holds answers and events and nothing else. With --json one line, `{"error": {name, code, message,
 * hint, …values}}`; otherwise the message, the values and the next step for people.
 */
export function reportError(io: Io, error: unknown, json: boolean): void {
  const lines = json ? [JSON.stringify({ error: errorJson(error) }, plainValue)] : errorLines(error)
  // A token that was given where a name belongs comes back in messages; its owner's terminal is no place for it either.
  io.stderr.write(lines.map((line) => `${withoutTokens(line)}\n`).join(''))
}

/** `hint` is there always, so that a script may rely on it. No value can take the place of one of the four. */
function errorJson(error: unknown): object {
  const { details, nextStep, name, code, message } = errorBody(error)
  const fixed = { name, code, message, hint: nextStep ?? (error instanceof QuorateError ? null : BUG_HINT) }
  return { ...fixed, ...details, ...fixed }
}

export function errorLines(error: unknown): readonly string[] {
  if (!(error instanceof QuorateError)) return bugLines(error)
  const values = Object.entries(error.details).map(([key, value]) => `  ${key}: ${valueText(value)}`)
  const next = error.nextStep === undefined ? [] : [`next: ${printable(error.nextStep)}`]
  return [`error: ${printable(error.message)}`, ...values, ...next]
}

function bugLines(error: unknown): readonly string[] {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return [...`error: ${text}`.split('\n').map(printable), `next: ${BUG_HINT}`]
}

const valueText = (value: unknown): string =>
  printable(typeof value === 'string' ? value : (JSON.stringify(value, plainValue) ?? String(value)))
