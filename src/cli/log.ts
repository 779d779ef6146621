/**
 * Logs of the running node: to stderr through pino, JSON lines with --json, unless a person looks at a terminal. Secrets are replaced
 * before a line exists, by the name of their field and by the look of a token, at any depth (R-OBS-4).
 */
import { pino } from 'pino'
import type { ErrorReport } from '../node/reporter.ts'
import type { Logger } from '../node/types.ts'
import type { Io } from './io.ts'
import { REDACTED, withoutTokens } from './secret-text.ts'
import { type Style, styleOf } from './view/style.ts'
import { printable } from './view/text.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const SECRET_FIELDS = /^(?:token|seed|passphrase|password|secret|key|issuerKey|privateKey)$/i
const DEPTH_MAX = 8

/** `printLines`: where lines for people go on a terminal, so that they do not tear the live block. */
export function makeLogger(
  io: Io,
  level: LogLevel,
  json: boolean,
  printLines: (lines: readonly string[]) => void
): Logger {
  const isTerminal = io.stderr.isTTY === true
  const style = styleOf(io.stderr, io.env)
  const print = isTerminal ? printLines : (lines: readonly string[]) => void io.stderr.write(`${lines.join('\n')}\n`)
  const destination =
    isTerminal || !json
      ? { write: (line: string) => print([logLine(JSON.parse(line) as LogRecord, style)]) }
      : io.stderr
  return pino(
    {
      level,
      base: null,
      formatters: {
        level: (label) => ({ level: label }),
        log: (details) => redact(details) as Record<string, unknown>
      },
      hooks: {
        logMethod(args, method) {
          method.apply(this, args.map((arg: unknown) => (typeof arg === 'string' ? redact(arg) : arg)) as typeof args)
        }
      }
    },
    destination
  )
}

/**
 * Holds back the last words of a node. What ends it is said by the command, once, with its values and the next step (report.ts); so the
 * node's own words reach the log only when the command ends with something else: it was told to stop, and then the disk failed.
 */
export class LastWords {
  readonly logger: Logger
  readonly #log: Logger
  #held: { readonly report: ErrorReport; readonly message: string } | undefined

  constructor(log: Logger) {
    this.#log = log
    this.logger = {
      debug: (details, message) => log.debug(details, message),
      info: (details, message) => log.info(details, message),
      warn: (details, message) => log.warn(details, message),
      error: (details, message) => {
        if (isReport(details)) this.#held = { report: details, message }
        else log.error(details, message)
      }
    }
  }

  /** `told`: what the command ends with. */
  end(told: unknown): void {
    const held = this.#held
    this.#held = undefined
    if (held === undefined) return
    const { name, message } = held.report
    if (!(told instanceof Error && told.name === name && told.message === message))
      this.#log.error(held.report, held.message)
  }
}

/** As node/reporter.ts makes it of what ends a node. */
const isReport = (details: object): details is ErrorReport =>
  'name' in details && 'code' in details && 'message' in details

/** A copy without secrets. A static seed is an address and may be seen; a key's seed is bytes or text without a slash or colon. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return withoutTokens(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth === DEPTH_MAX) return '[deep]'
  if (value instanceof Error) {
    const { name, message, code, details, cause } = value as Error & { code?: unknown; details?: unknown }
    return redact({ name, code, message, details, cause }, depth + 1)
  }
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1))
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if ('toJSON' in value && typeof value.toJSON === 'function') return redact(value.toJSON(), depth + 1)
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => [
      key,
      isSecret(key, item) ? REDACTED : redact(item, depth + 1)
    ])
  )
}

const isSecret = (key: string, value: unknown): boolean =>
  SECRET_FIELDS.test(key) && value !== undefined && !(typeof value === 'string' && /^\/|^[^:]*:\d+$/.test(value))

/** Written by pino, so of this shape. */
interface LogRecord {
  readonly level: string
  readonly msg: string
  readonly time: number
  readonly [detail: string]: unknown
}

function logLine(record: LogRecord, style: Style): string {
  const { level, msg } = record
  const colour = level === 'error' ? style.red : level === 'warn' ? style.yellow : style.dim
  const rest = Object.entries(record)
    .filter(([key]) => !['level', 'msg', 'time'].includes(key))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  return `${colour(level)} ${printable(msg)}${rest.length === 0 ? '' : style.dim(` ${printable(rest.join(' '))}`)}`
}
