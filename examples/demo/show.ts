/** What the demo prints: lines for people, or NDJSON of everything. */
import type { StampedNodeEvent } from '../../src/node/types.ts'
import { makeStyle, styleOf } from '../../src/cli/view/style.ts'
import { table } from '../../src/cli/view/text.ts'
import { inOrder } from './in-order.ts'

export interface Timing {
  readonly what: string
  readonly ms: number
}

export interface Show {
  title(text: string, facts: Readonly<Record<string, unknown>>): void
  /** A chapter begins; times of lines count from here. */
  step(step: string, text: string, at: number): void
  /** One thing that a node did. */
  line(at: number, node: string, what: string, detail: string): void
  note(text: string): void
  /** A chapter has ended well. `facts` are for programs. */
  done(step: string, text: string, facts: Readonly<Record<string, unknown>>): void
  /** A process of a node was started. */
  started(node: string, pid: number | undefined): void
  /** An event of a node, as it came. */
  event(node: string, event: StampedNodeEvent): void
  summary(timings: readonly Timing[], facts: Readonly<Record<string, unknown>>): void
  failed(message: string, exitCode: number): void
}

const say = (line: string): boolean => process.stdout.write(`${line}\n`)
const emit = (event: Readonly<Record<string, unknown>>): boolean => say(JSON.stringify(event))

export function showJson(now: () => number): Show {
  return {
    title: (text, facts) => emit({ event: 'demo', status: 'start', at: now(), text, ...facts }),
    step: (step, text, at) => emit({ event: 'step', step, status: 'start', at, text }),
    line: () => {},
    note: (text) => emit({ event: 'note', at: now(), text }),
    done: (step, text, facts) => emit({ event: 'step', step, status: 'done', at: now(), text, ...facts }),
    started: (node, pid) => emit({ event: 'started', at: now(), name: node, pid }),
    event: (node, event) => emit({ ...event, name: node }),
    summary: (timings, facts) => {
      const ms = Object.fromEntries(timings.map(({ what, ms: value }) => [what, round(value)]))
      emit({ event: 'summary', ok: true, at: now(), ...facts, ms })
    },
    failed: (message, exitCode) => emit({ event: 'summary', ok: false, at: now(), exitCode, message })
  }
}

export function showPeople(): Show {
  const style = process.stdout.isTTY
    ? styleOf(process.stdout, process.env)
    : makeStyle({ color: false, unicode: true, columns: 100 })
  let zero = 0
  const lines = inOrder((at, text) => say(`${style.dim(msText(at - zero).padStart(9))}  ${text}`))
  const sayNow = (text: string): void => {
    lines.flush()
    say(text)
  }
  return {
    title: (text) => say(style.bold(text)),
    step(_step, text, at) {
      sayNow(`\n${style.bold(text)}`)
      zero = at
    },
    line: (at, node, what, detail) =>
      lines.add(at, `${style.cyan(node.padEnd(3))} ${`${what.padEnd(13)} ${style.dim(detail)}`.trimEnd()}`),
    note: (text) => sayNow(style.yellow(text)),
    done: (_step, text) => sayNow(`  ${style.green(style.symbols.done)} ${text}`),
    started: () => {},
    event: () => {},
    summary(timings) {
      sayNow(`\n${style.bold('measured')}`)
      for (const row of table(
        timings.map(({ what, ms }) => [what, `${msText(ms).padStart(9)} ms`]),
        '  '
      ))
        say(row)
    },
    failed(message) {
      lines.flush()
      process.stderr.write(`${style.red('error:')} ${message}\n`)
    }
  }
}

/** Tenths below ten milliseconds, where they say something. */
const msText = (ms: number): string => (ms < 10 ? ms.toFixed(1) : String(Math.round(ms)))
const round = (ms: number): number => Math.round(ms * 10) / 10
