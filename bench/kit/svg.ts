/**
 * Plots of cumulative shares over a logarithmic axis, as SVG by hand: no dependency, readable in light and in dark, and small
 * enough to be kept. Each series is drawn as the steps of its measured values, thinned to what a pixel can show.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface PlotSeries {
  readonly name: string
  /** Measured values; or points of a published curve as [value, share]. */
  readonly values: readonly number[] | readonly (readonly [value: number, share: number])[]
  readonly dashed?: boolean
}

export interface Plot {
  readonly title: string
  readonly unit: string
  readonly series: readonly PlotSeries[]
}

const WIDTH = 760
const HEIGHT = 400
const LEFT = 52
const RIGHT = 16
const TOP = 40
const BOTTOM = 44
const LEGEND_LINE = 18

/** Told apart on white and on black, also by most who do not see all colours (after Okabe and Ito). */
const COLOURS = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#8a6d3b',
  '#7a7a7a',
  '#6a3d9a',
  '#b15928'
]

const STYLE = `text{font:13px system-ui,sans-serif;fill:#1f2328}.grid{stroke:#d0d7de;stroke-width:1}.axis{stroke:#59636e}
.back{fill:#fff}.curve{fill:none;stroke-width:2}@media (prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}
.axis{stroke:#9198a1}.back{fill:#0d1117}}`

export function plotCdf(directory: string, name: string, plot: Plot): void {
  if (plot.series.length === 0) return
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, `${name}.svg`), draw(plot))
}

function draw({ title, unit, series }: Plot): string {
  const curves = series.map((one) => ({ ...one, points: pointsOf(one.values) }))
  const all = curves.flatMap(({ points }) => points.map(([value]) => value)).filter((value) => value > 0)
  const [low, high] = [niceBelow(Math.min(...all)), niceAbove(Math.max(...all))]
  const height = HEIGHT + series.length * LEGEND_LINE
  const x = (value: number): number =>
    LEFT + (Math.log(Math.max(value, low) / low) / Math.log(high / low)) * (WIDTH - LEFT - RIGHT)
  const y = (share: number): number => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">`,
    `<style>${STYLE}</style><rect class="back" width="${WIDTH}" height="${height}"/>`,
    text(LEFT, 22, title, 'start', ' font-weight="600"')
  ]
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(line(LEFT, y(share), WIDTH - RIGHT, y(share), share === 0 ? 'axis' : 'grid'))
    parts.push(text(LEFT - 8, y(share) + 4, `${share * 100} %`, 'end'))
  }
  for (const tick of ticks(low, high)) {
    parts.push(line(x(tick), TOP, x(tick), HEIGHT - BOTTOM, 'grid'))
    parts.push(text(x(tick), HEIGHT - BOTTOM + 18, tick.toLocaleString('en'), 'middle'))
  }
  parts.push(text(WIDTH - RIGHT, HEIGHT - 6, `${unit}, logarithmic`, 'end'))
  for (const [i, { name, points, dashed }] of curves.entries()) {
    const colour = COLOURS[i % COLOURS.length]!
    const dash = dashed === true ? ' stroke-dasharray="5 4"' : ''
    parts.push(`<path class="curve" stroke="${colour}"${dash} d="${path(points, x, y)}"/>`)
    const at = HEIGHT + i * LEGEND_LINE
    parts.push(
      `<line x1="${LEFT}" x2="${LEFT + 26}" y1="${at}" y2="${at}" stroke="${colour}" stroke-width="3"${dash}/>`
    )
    parts.push(text(LEFT + 36, at + 4, name, 'start'))
  }
  return `${parts.join('\n')}\n</svg>\n`
}

type Point = readonly [value: number, share: number]

function pointsOf(values: PlotSeries['values']): readonly Point[] {
  const first = values[0]
  if (first !== undefined && typeof first !== 'number') return values as readonly Point[]
  const sorted = (values as readonly number[]).toSorted((a, b) => a - b)
  return sorted.map((value, i) => [value, (i + 1) / sorted.length])
}

function path(points: readonly Point[], x: (value: number) => number, y: (share: number) => number): string {
  const [first] = points
  if (first === undefined) return ''
  const words = [`M${x(first[0]).toFixed(0)} ${y(0).toFixed(0)}`]
  let drawn = words[0]!.slice(1)
  for (const [value, share] of points) {
    const word = `${x(value).toFixed(0)} ${y(share).toFixed(0)}`
    if (word !== drawn) words.push(`L${word}`)
    drawn = word
  }
  return words.join('')
}

/** 1, 2, 5, 10, 20, … */
function ticks(low: number, high: number): number[] {
  const found: number[] = []
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high * 1.001; decade *= 10) {
    for (const factor of [1, 2, 5]) {
      const tick = Number((decade * factor).toPrecision(3))
      if (tick >= low * 0.999 && tick <= high * 1.001) found.push(tick)
    }
  }
  return found
}

const niceBelow = (value: number): number => ticks(value / 5, value).at(-1) ?? value
const niceAbove = (value: number): number => ticks(value, value * 5)[0] ?? value

const escape = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

const text = (x: number, y: number, value: string, anchor: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${more}>${escape(value)}</text>`

const line = (x1: number, y1: number, x2: number, y2: number, kind: string): string =>
  `<line class="${kind}" x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"/>`
