/** Options and habits that several commands have in common. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { controlClient, type ControlClient, ControlTimeoutError } from '../../admin/index.ts'
import { startDeadline } from '../../core/deadline.ts'
import { messageOf } from '../../core/errors.ts'
import { parseDuration } from '../duration.ts'
import type { Io } from '../io.ts'
import { type Style, styleOf } from '../view/style.ts'

export const DATA_OPTION = '--data <dir>'
export const SECRETS_OPTION = ['--secrets', 'show the values that the schema marks as secret (x-secret)'] as const
const TIMEOUT_DEFAULT = '10s'

/** Options of every command that asks a running node. */
export interface AskOptions {
  readonly data: string
  readonly json?: boolean
  readonly timeout: Duration
}

/** As written, for messages, and in ms. */
export interface Duration {
  readonly text: string
  readonly ms: number
}

/** For `option(…, durationOption)`. */
export function durationOption(text: string): Duration {
  return { text, ms: rephrase(() => parseDuration(text)) }
}

/** A whole number from `low` on, for `option(…)`. */
export const wholeNumber =
  (low: number, high = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= low && value <= high) return value
    const range = high === Number.MAX_SAFE_INTEGER ? `from ${low} on` : `from ${low} to ${high}`
    throw new InvalidArgumentError(`It is not a whole number ${range}.`)
  }

/** For options that may be given several times. */
export const gather = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** Commander adds the option's name to its own errors only. */
function rephrase<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error))
  }
}

export function askOptions(command: Command): Command {
  return command
    .requiredOption(DATA_OPTION, 'data directory of the running node')
    .addOption(
      new Option('--timeout <duration>', 'longest wait for the answer')
        .argParser(durationOption)
        .default(durationOption(TIMEOUT_DEFAULT), TIMEOUT_DEFAULT)
    )
}

export const example = (text: string): string => `\nExample:\n${text.replaceAll(/^/gm, '  $ ')}`

const ANSWER_MS = 1_000

export interface Limits {
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** Asks the node of `--data` one thing, within `--timeout`. */
export async function ask<T>(
  io: Io,
  options: AskOptions,
  what: string,
  question: (client: ControlClient, limits: Limits) => Promise<T>
): Promise<T> {
  const { ms } = options.timeout
  // The node's own answer says more than our impatience: it gets the time asked for, and a moment to answer.
  const deadline = startDeadline(io.clock, ms + ANSWER_MS, {
    reason: () => new ControlTimeoutError(what, ms),
    parent: io.interrupt
  })
  try {
    return await question(controlClient(options.data), { signal: deadline.signal, timeoutMs: ms })
  } finally {
    deadline.cancel()
  }
}

/** One JSON line, or lines for people. */
export function show(
  io: Io,
  json: boolean | undefined,
  value: unknown,
  lines: (style: Style) => readonly string[]
): void {
  const text = json === true ? [JSON.stringify(value)] : lines(styleOf(io.stdout, io.env))
  io.stdout.write(text.map((line) => `${line}\n`).join(''))
}
