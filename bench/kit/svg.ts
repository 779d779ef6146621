/**
 * Cumulative distributions, side by side, on logarithmic axes: SVG by hand, without a dependency, readable in light and in dark,
 * and small enough to be kept. A curve says which share of the rounds was done after so many milliseconds: further left is
 * faster, steeper is steadier.
 */

export interface Curve {
  readonly name: string
  /** Rising; see `stepsOf`. */
  readonly points: readonly Point[]
  /** What the legend says at the right, such as the median. */
  readonly note: string
  /** Index into the colours; default: its place in the panel. */
  readonly colour?: number
  /** Default `solid`. */
  readonly stroke?: 'solid' | 'dashed' | 'dotted'
  /** Drawn, and left out of the legend. */
  readonly unnamed?: boolean
}

export type Point = readonly [value: number, share: number]

export interface Panel {
  readonly title: string
  /** Of the x axis, with its unit. */
  readonly axis: string
  readonly curves: readonly Curve[]
}

export interface Plot {
  readonly title: string
  /** Where and how it was measured. */
  readonly subtitle: string
  /** Said in red above everything. */
  readonly warning?: string
  readonly panels: readonly Panel[]
  /** Of the y axis. */
  readonly share: string
  /** Lines below the legend. */
  readonly footnotes?: readonly string[]
}

const WIDTH = 960
const MARGIN = 20
const LEFT = 44
/** Room for the half of the last name on the axis. */
const RIGHT = 26
const GAP = 20
const HEADER = 74
const AREA = 250
const FOOTER = 46
const ROW = 19

/** Colours on white and on black, told apart also by most who do not see all of them (after Okabe and Ito; Wong, 2011). */
const COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ['#0969da', '#58a6ff'],
  ['#c2410c', '#fb8f44'],
  ['#0f8a5f', '#3fc18f'],
  ['#a63d97', '#e487d3'],
  ['#97750c', '#e3b341'],
  ['#0e7490', '#5cc8e0'],
  ['#6b7280', '#9ca3af']
]

const strokes = (pick: (pair: readonly [string, string]) => string): string =>
  COLOURS.map((pair, i) => `.c${i}{stroke:${pick(pair)}}`).join('')

const STYLE = [
  "text{font:12.5px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}",
  '.h{font-size:17px;font-weight:600}.b{font-weight:600}.m{fill:#59636e}.w{fill:#cf222e;font-weight:600}',
  '.back{fill:#fff}.grid{stroke:#e2e6ea}.half{stroke:#b9c1c9}.axis{stroke:#8b949e}',
  '.curve{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}',
  strokes(([light]) => light),
  '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.m{fill:#9198a1}.w{fill:#ff7b72}.back{fill:#0d1117}',
  '.grid{stroke:#21262d}.half{stroke:#444c56}.axis{stroke:#6e7681}',
  `${strokes(([, dark]) => dark)}}`
].join('')

const DASHES = { solid: '', dashed: ' stroke-dasharray="7 5"', dotted: ' stroke-dasharray="1 5"' } as const

/** The stairs of measured values: each lifts the share by one n-th. */
export function stepsOf(values: readonly number[]): readonly Point[] {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted.flatMap((value, i): Point[] => [
    [value, i / sorted.length],
    [value, (i + 1) / sorted.length]
  ])
}

export function draw({ title, subtitle, warning, panels, share, footnotes = [] }: Plot): string {
  const width = (WIDTH - 2 * MARGIN - (panels.length - 1) * GAP) / panels.length
  const rows = Math.max(...panels.map(({ curves }) => curves.filter(({ unnamed }) => unnamed !== true).length))
  const below = HEADER + 24 + AREA + FOOTER + rows * ROW + (footnotes.length > 0 ? 10 : 0)
  const height = below + 10 + footnotes.length * 17
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">`,
    `<style>${STYLE}</style><rect class="back" width="${WIDTH}" height="${height}" rx="8"/>`,
    text(MARGIN, 30, title, 'start', 'h'),
    text(MARGIN, 51, subtitle, 'start', 'm'),
    ...(warning === undefined ? [] : [text(WIDTH - MARGIN, 51, warning, 'end', 'w')]),
    ...panels.map((panel, i) => drawPanel(panel, MARGIN + i * (width + GAP), width, share)),
    ...footnotes.map((line, i) => text(MARGIN, below + 8 + i * 17, line, 'start', 'm')),
    '</svg>\n'
  ].join('\n')
}

function drawPanel({ title, axis, curves }: Panel, left: number, width: number, share: string): string {
  const values = curves.flatMap(({ points }) => points.map(([value]) => value)).filter((value) => value > 0)
  if (values.length === 0) throw new Error(`nothing to draw in "${title}"`)
  const [low, high] = [niceBelow(Math.min(...values) * 0.98), niceAbove(Math.max(...values) * 1.02)]
  const [x0, x1] = [left + LEFT, left + width - RIGHT]
  const top = HEADER + 24
  const x = (value: number): number => x0 + (Math.log(Math.max(value, low) / low) / Math.log(high / low)) * (x1 - x0)
  const y = (part: number): number => top + (1 - part) * AREA
  const parts = [text(left, HEADER + 8, title, 'start', 'b')]
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(line(x0, y(part), x1, y(part), part === 0 ? 'axis' : part === 0.5 ? 'half' : 'grid'))
    parts.push(text(x0 - 7, y(part) + 4, `${part * 100}${part === 1 ? ' %' : ''}`, 'end', 'm'))
  }
  for (const { at, named } of ticks(low, high)) {
    parts.push(line(x(at), top, x(at), y(0), 'grid'))
    if (named) parts.push(text(x(at), y(0) + 17, at.toLocaleString('en'), 'middle', 'm'))
  }
  parts.push(text(x0, y(0) + 35, share, 'start', 'm'), text(x1, y(0) + 35, axis, 'end', 'm'))
  for (const [i, curve] of curves.entries()) {
    parts.push(
      `<path class="curve c${colourOf(curve, i)}"${DASHES[curve.stroke ?? 'solid']} d="${path(curve.points, x, y)}"/>`
    )
  }
  const named = [...curves.entries()].filter(([, { unnamed }]) => unnamed !== true)
  for (const [row, [i, curve]] of named.entries()) {
    const at = top + AREA + FOOTER + row * ROW + 8
    const dash = DASHES[curve.stroke ?? 'solid']
    parts.push(
      `<line class="curve c${colourOf(curve, i)}"${dash} x1="${x0}" x2="${x0 + 26}" y1="${at - 4}" y2="${at - 4}"/>`
    )
    parts.push(text(x0 + 36, at, curve.name, 'start'), text(x1, at, curve.note, 'end', 'm'))
  }
  return parts.join('\n')
}

const colourOf = ({ colour }: Curve, place: number): number => (colour ?? place) % COLOURS.length

/** Thinned to a third of a pixel. */
function path(points: readonly Point[], x: (value: number) => number, y: (share: number) => number): string {
  const words: string[] = []
  for (const [value, share] of points) {
    const word = `${x(value).toFixed(1)} ${y(share).toFixed(1)}`
    if (words.at(-1) !== word) words.push(word)
  }
  return words.length === 0 ? '' : `M${words.join('L')}`
}

interface Tick {
  readonly at: number
  readonly named: boolean
}

/** In decades: wider than this, only powers of ten are named; narrower than that, there are lines between. */
const WIDE = 2.4
const NARROW = 1

/** 1, 2, 5, 10, 20, …, and more of them where the range is narrow. */
function ticks(low: number, high: number): readonly Tick[] {
  const decades = Math.log10(high / low)
  const factors = decades < NARROW ? [1, 1.5, 2, 3, 4, 5, 7] : [1, 2, 5]
  const found: Tick[] = []
  for (let decade = 10 ** Math.floor(Math.log10(low) + 1e-9); decade <= high * 1.001; decade *= 10) {
    for (const factor of factors) {
      const at = Number((decade * factor).toPrecision(3))
      if (at >= low * 0.999 && at <= high * 1.001) found.push({ at, named: decades <= WIDE || factor === 1 })
    }
  }
  return found
}

const niceBelow = (value: number): number => ticks(value / 5.1, value).at(-1)?.at ?? value
const niceAbove = (value: number): number => ticks(value, value * 5.1)[0]?.at ?? value

const escape = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

const text = (x: number, y: number, value: string, anchor: 'start' | 'middle' | 'end', kind?: string): string => {
  const more = `${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}${kind === undefined ? '' : ` class="${kind}"`}`
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${more}>${escape(value)}</text>`
}

const line = (x1: number, y1: number, x2: number, y2: number, kind: string): string =>
  `<line class="${kind}" x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"/>`
