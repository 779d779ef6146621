/** Which plots there are, each made of one result file: `bench/results/<name>.svg`. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PUBLISHED, PUBLISHED_SHARES, PUBLISHED_WAN } from './published.ts'
import { fits, readResults, type Results, type SeriesRecord, valuesOf } from './results.ts'
import { LOSS_NAMES, type Loss } from './losses.ts'
import { figure } from './stats.ts'
import { type Curve, draw, type Panel, type Plot, type Point, stepsOf } from './svg.ts'

type Content = Pick<Plot, 'title' | 'panels' | 'share'> & Partial<Pick<Plot, 'footnotes'>>

const SHARE = '% of the rounds done'

const isOurs = (system: unknown): boolean => String(system).startsWith('quorate')

const PLOTS: Readonly<Record<string, (results: Results) => Content>> = {
  election: ({ series }) => {
    const writable = series.filter((one) => fits(one, { until: 'writable', preset: 'lan' }))
    const sizes = [...new Set(writable.map(({ size }) => size))]
    const ways = [
      ...writable.filter(({ size }) => size === sizes[0]),
      ...series.filter((one) => fits(one, { until: 'writable', preset: 'fast', loss: 'pause' }))
    ]
    const kills = writable.filter(({ loss }) => loss === 'kill')
    return {
      title: 'Time without a leader: from its loss to the first commit of the next',
      share: SHARE,
      panels: [
        panel(
          `However it is lost, ${String(sizes[0])} nodes`,
          'ms, logarithmic',
          ways,
          ({ loss, preset }) => `${LOSS_NAMES[loss as Loss]}${preset === 'lan' ? '' : `, preset ${String(preset)}`}`
        ),
        panel('Killed by SIGKILL', 'ms, logarithmic', kills, ({ size }) => `${String(size)} nodes`)
      ]
    }
  },
  wan: ({ series }) => {
    const sizes = [...new Set(series.map(({ size }) => Number(size)))]
    const of = (size: number): Panel => {
      const own = series.filter((one) => fits(one, { size, loss: 'kill', until: 'writable' }))
      const made = panel(
        `${size} nodes, preset wan`,
        'ms, logarithmic',
        own,
        ({ delay }) => `${String(delay)} ms one way`
      )
      return size === 5 ? { ...made, curves: [...made.curves, publishedWan(made.curves.length)] } : made
    }
    const source =
      'Raft dissertation, simulated network of 30 to 40 ms one way, timeouts of 300 to 600 ms, until elected'
    return {
      title: 'Over slow links: from SIGKILL of the leader to the first commit of the next',
      share: SHARE,
      panels: sizes.map(of),
      footnotes: sizes.includes(5) ? [`Dashed: ${source} (Ongaro, CC BY 4.0).`] : []
    }
  },
  formation: ({ series }) => {
    const LATE = 'all founders, the last one late'
    const ready = series.filter((one) => fits(one, { until: 'ready' }))
    const of = (title: string, from: string): Panel =>
      panel(
        title,
        'ms, logarithmic',
        ready.filter((one) => one['from'] === from),
        ({ discovery, size }) => `${String(size)} nodes, ${discovery === 'mdns' ? 'mDNS' : 'seeds'}`,
        ({ discovery, size }) => ({
          colour: [3, 5, 9].indexOf(Number(size)),
          stroke: discovery === 'mdns' ? 'dashed' : 'solid'
        })
      )
    const isLate = ready.some(({ from }) => from === LATE)
    return {
      title: 'From nothing to a cluster: until all nodes are ready',
      share: SHARE,
      panels: [
        of('From the start of the processes', 'process start'),
        of('From all founders authenticated', 'all founders'),
        ...(isLate ? [of('The same, the last one 2 s late', LATE)] : [])
      ]
    }
  },
  compare: ({ series }) => {
    // Ours share a colour, so that peers have one each.
    const peers = [...new Set(series.map(({ system }) => String(system)))].filter((system) => !isOurs(system))
    const of = (title: string, what: string): Panel =>
      panel(
        title,
        'ms, logarithmic',
        series.filter((one) => fits(one, { what, size: 3 })),
        ({ system }) => String(system),
        ({ system }) => ({
          colour: isOurs(system) ? 0 : 1 + peers.indexOf(String(system)),
          stroke: !isOurs(system)
            ? 'dashed'
            : what === 'crash' && system === 'quorate, first commit'
              ? 'dotted'
              : 'solid'
        })
      )
    return {
      title: 'In turns with peers, 3 nodes: until a write was accepted',
      share: SHARE,
      panels: [
        of('From SIGKILL of the leader', 'crash'),
        of('From the start of the processes, empty disks', 'formation')
      ]
    }
  },
  paper: ({ series }) => ({
    title: 'The Raft paper’s figure 16, and our defaults on the same axes',
    share: '% of the trials done',
    panels: [
      paperPanel('Enough randomness?', ['150-150', '150-151', '150-155', '150-175', '150-200', '150-300'], series),
      paperPanel(
        'Short enough timeouts?',
        ['12-24', '25-50', '50-100', '100-200', '150-300', 'lan, silent', 'lan, killed'],
        series
      )
    ],
    footnotes: [
      'Solid: our core in virtual time. Dotted: real processes behind a delaying proxy. Dashed: as published (Ongaro and Ousterhout, CC BY 4.0).'
    ]
  })
}

function panel(
  title: string,
  axis: string,
  series: readonly SeriesRecord[],
  name: (record: SeriesRecord) => string,
  look: (record: SeriesRecord) => Partial<Curve> = () => ({})
): Panel {
  const curves = series.map((one) => ({
    name: name(one),
    points: pointsOf(one),
    note: `p50 ${figure(one.p50)} · p99 ${figure(one.p99)}`,
    ...look(one)
  }))
  return { title, axis, curves }
}

function pointsOf(record: SeriesRecord): readonly Point[] {
  const values = valuesOf(record)
  return record.values === undefined ? values.map((value, i) => [value, i / (values.length - 1)]) : stepsOf(values)
}

const p50 = (one: { readonly p50: number } | undefined): string => (one === undefined ? '–' : figure(one.p50))

function paperPanel(title: string, ranges: readonly string[], series: readonly SeriesRecord[]): Panel {
  const curves = ranges.flatMap((timeouts, colour): Curve[] => {
    const own = series.find((one) => fits(one, { timeouts, by: 'virtual time' }))
    const real = series.find((one) => fits(one, { timeouts, by: 'real processes' }))
    const published = PUBLISHED[timeouts]
    const theirs = published === undefined ? undefined : { p50: published[PUBLISHED_SHARES.indexOf(0.5)]! }
    const note = `p50 ${p50(own)}, real ${p50(real)}, paper ${p50(theirs)}`
    const curve = { name: timeouts, note, colour }
    return [
      ...(own === undefined ? [] : [{ ...curve, points: pointsOf(own) }]),
      ...(real === undefined
        ? []
        : [{ ...curve, points: pointsOf(real), stroke: 'dotted' as const, unnamed: own !== undefined }]),
      ...(published === undefined
        ? []
        : [{ ...curve, points: publishedPoints(published), stroke: 'dashed' as const, unnamed: true }])
    ]
  })
  return { title, axis: 'ms from the crash, logarithmic', curves }
}

const publishedPoints = (quantiles: readonly number[]): readonly Point[] =>
  quantiles.map((ms, i) => [ms, PUBLISHED_SHARES[i]!])

const publishedWan = (colour: number): Curve => ({
  name: 'as published, 30-40 ms',
  points: publishedPoints(PUBLISHED_WAN),
  note: `p50 ${figure(PUBLISHED_WAN[PUBLISHED_SHARES.indexOf(0.5)]!)}`,
  stroke: 'dashed',
  colour
})

export const plotNames = Object.keys(PLOTS)

/** Draws what this part's results give; returns the paths. */
export function drawPlots(directory: string, part: string): readonly string[] {
  const content = PLOTS[part]
  const results = readResults(directory, part)
  if (content === undefined || results === undefined) return []
  const path = join(directory, `${part}.svg`)
  const whole = content(results)
  // A run of some parts only leaves panels empty.
  const panels = whole.panels.filter(({ curves }) => curves.length > 0)
  if (panels.length === 0) return []
  writeFileSync(path, plotOf({ ...whole, panels }, results))
  return [path]
}

function plotOf(content: Content, { run, end, series }: Results): string {
  const rounds = [...new Set(series.map(({ n }) => n))].toSorted((a, b) => a - b)
  const [least, most] = [rounds[0], rounds.at(-1)]
  const many = least === most ? String(least) : `${String(least)} to ${String(most)}`
  const { cores, cpu, node, commit } = run
  return draw({
    ...content,
    ...(end.busy ? { warning: 'busy machine: do not quote' } : {}),
    subtitle: `${many} rounds a curve · ${cores} cores of ${cpu} · Node ${node.slice(1)} · commit ${commit}`
  })
}
