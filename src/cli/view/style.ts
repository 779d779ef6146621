/** What the output can show: colours, symbols, width. */
import type { TextOutput } from '../io.ts'

export interface Style {
  readonly columns: number
  readonly symbols: { readonly done: string; readonly failed: string; readonly busy: string; readonly idle: string }
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

const UNICODE = { done: '✓', failed: '✗', busy: '●', idle: '·' }
const ASCII = { done: '+', failed: 'x', busy: '*', idle: '.' }
const COLUMNS_DEFAULT = 100

type Env = Readonly<Record<string, string | undefined>>

/** NO_COLOR (no-color.org) and TERM=dumb switch colours off; a pipe has none. */
export function styleOf(stream: TextOutput, env: Env): Style {
  const noColor = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== ''
  return makeStyle({
    color: stream.isTTY === true && !noColor && env['TERM'] !== 'dumb',
    unicode: /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '') || stream.isTTY !== true,
    columns: stream.columns || COLUMNS_DEFAULT
  })
}

export function makeStyle(init: { color: boolean; unicode: boolean; columns: number }): Style {
  const paint =
    (open: number, close: number) =>
    (text: string): string =>
      init.color && text !== '' ? `\u001B[${open}m${text}\u001B[${close}m` : text
  return {
    columns: init.columns,
    symbols: init.unicode ? UNICODE : ASCII,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39)
  }
}
