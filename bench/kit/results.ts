/**
 * Result files: `bench/results/<name>.jsonl`, one JSON object a line, told apart by `record`. What a document or a plot shows
 * comes out of these files and nowhere else.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Machine } from './machine.ts'
import type { Summary } from './stats.ts'

/** The first line. */
export interface RunRecord extends Machine {
  readonly record: 'run'
  readonly bench: string
  readonly seed: string
  /** Wall time of the start, ISO 8601. */
  readonly date: string
  readonly words: readonly string[]
}

/** One measured thing. Up to 200 values are kept, to a microsecond; of more, every hundredth part. */
export interface SeriesRecord extends Summary {
  readonly record: 'series'
  readonly unit?: string
  readonly values?: readonly number[]
  readonly percentiles?: readonly number[]
  readonly [what: string]: unknown
}

/** Whatever is no series. */
export interface ResultRecord {
  readonly record: 'result'
  readonly [what: string]: unknown
}

/** As printed. Cells that are not in the first column stand to the right. */
export interface TableRecord {
  readonly record: 'table'
  readonly name: string
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** The last line; a file without it is of a run that broke off. */
export interface EndRecord {
  readonly record: 'end'
  readonly tookS: number
  /** Share of all cores that other processes took, 0 to 1: over the run, and in its worst part. */
  readonly othersCpuShare?: number
  readonly othersWorst?: number
  /** Reported only because of `--force`. */
  readonly busy: boolean
}

export type ResultLine = RunRecord | SeriesRecord | ResultRecord | TableRecord | EndRecord

export interface Results {
  readonly run: RunRecord
  readonly end: EndRecord
  readonly series: readonly SeriesRecord[]
  readonly results: readonly ResultRecord[]
  readonly tables: readonly TableRecord[]
}

export function parseResults(text: string): Results {
  const lines = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ResultLine)
  const [run] = lines
  const end = lines.at(-1)
  if (run?.record !== 'run') throw new Error('a result file begins with the record of its run')
  if (end?.record !== 'end') throw new Error(`the results of ${run.bench} have no end: that run broke off`)
  const of = <R extends ResultLine['record']>(record: R): Extract<ResultLine, { readonly record: R }>[] =>
    lines.filter((line): line is Extract<ResultLine, { readonly record: R }> => line.record === record)
  return { run, end, series: of('series'), results: of('result'), tables: of('table') }
}

/** Undefined when this part was never run. */
export function readResults(directory: string, bench: string): Results | undefined {
  const path = join(directory, `${bench}.jsonl`)
  return existsSync(path) ? parseResults(readFileSync(path, 'utf8')) : undefined
}

/** What a plot draws of a series: its values, or what was kept of them. */
export const valuesOf = ({ values, percentiles }: SeriesRecord): readonly number[] => values ?? percentiles ?? []

/** Whether a record names all of these. */
export const fits = (record: object, what: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(what).every(([name, value]) => (record as Readonly<Record<string, unknown>>)[name] === value)
