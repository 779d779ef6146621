/** How an error reaches the person or the program that ran the command. */
import { errorBody, plainValue } from '../admin/index.ts'
import { QuorateError } from '../core/errors.ts'
import type { Io } from './io.ts'
import { withoutTokens } from './secret-text.ts'
import { withDataDir } from './shell-words.ts'
import { printable, readable, widthOf, wrap } from './view/text.ts'

const BUG_HINT = 'This is a bug in quorate. Please report it with these lines.'

/**
 * Always on stderr: stdout holds answers and events and nothing else. With --json one line, `{"error": {name, code, message,
 * hint, …values}}`; otherwise the message, the values and the next step for people.
 */
export function reportError(io: Io, error: unknown, json: boolean, dataDir?: string): void {
  const lines = json
    ? [JSON.stringify({ error: errorJson(error, dataDir) }, plainValue)]
    : errorLines(error, widthOn(io), dataDir)
  // A token that was given where a name belongs comes back in messages; its owner's terminal is no place for it either.
  io.stderr.write(lines.map((line) => `${withoutTokens(line)}\n`).join(''))
}

/** A pipe has no width. */
const widthOn = ({ stderr }: Io): number | undefined =>
  stderr.isTTY === true && stderr.columns ? stderr.columns : undefined

/** `hint` is there always, so that a script may rely on it. No value can take the place of one of the four. */
function errorJson(error: unknown, dataDir: string | undefined): object {
  const { details, name, code, message } = errorBody(error)
  const nextStep = error instanceof QuorateError ? nextStepOf(error, dataDir) : undefined
  const fixed = { name, code, message, hint: nextStep ?? (error instanceof QuorateError ? null : BUG_HINT) }
  return { ...fixed, ...details, ...fixed }
}

/** At most `columns` wide where words allow it. What the message says is not said again. */
export function errorLines(error: unknown, columns = Number.POSITIVE_INFINITY, dataDir?: string): readonly string[] {
  if (!(error instanceof QuorateError)) return bugLines(error)
  const message = readable(withDataDir(error.message, dataDir))
  const values = Object.entries(error.details)
    .filter(([, value]) => value !== undefined && !isTold(value, message))
    .map(([key, value]) => `  ${key}: ${valueText(value)}`)
  const nextStep = nextStepOf(error, dataDir)
  return [`error: ${message}`, ...values, ...(nextStep === undefined ? [] : [`next: ${printable(nextStep)}`])].flatMap(
    (line) => wrapHanging(line, columns)
  )
}

/** What a program would pass, an operator writes as an option. */
const AT_THE_COMMAND_LINE: Readonly<Record<string, string>> = {
  NoCredentialError:
    'Pass --token with one of the tokens of `quorate init`, or --genesis where the roster names this node, or start a new cluster with `quorate up --new`.'
}

function nextStepOf({ name, nextStep }: QuorateError, dataDir: string | undefined): string | undefined {
  const sentence = AT_THE_COMMAND_LINE[name] ?? nextStep
  return sentence === undefined ? undefined : withDataDir(sentence, dataDir)
}

/** Numbers are too short to tell: a 5 in the message may be another one. */
function isTold(value: unknown, message: string): boolean {
  if (Array.isArray(value)) return value.every((item) => isTold(item, message))
  return typeof value === 'string' && value !== '' && message.includes(readable(value))
}

/** Lines that a long one goes on in stand further right. */
function wrapHanging(line: string, columns: number): readonly string[] {
  if (widthOf(line) <= columns) return [line]
  const text = line.trimStart()
  const lead = ' '.repeat(line.length - text.length)
  const [first = '', ...rest] = wrap(text, columns, `${lead}    `)
  return [lead + first.trimStart(), ...rest]
}

function bugLines(error: unknown): readonly string[] {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return [...`error: ${text}`.split('\n').map(printable), `next: ${BUG_HINT}`]
}

const valueText = (value: unknown): string =>
  readable(typeof value === 'string' ? value : (JSON.stringify(value, plainValue) ?? String(value)))
