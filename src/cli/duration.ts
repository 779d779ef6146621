/** Durations as people write them on a command line, and as they like to read them. */
import { UsageError } from './cli-errors.ts'

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of "500ms", "60s", "1.5m", "2h", "7d". Throws UsageError. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim())
  const ms = match === null ? Number.NaN : Number(match[1]) * UNITS_MS[match[2]!]!
  if (!Number.isFinite(ms) || ms <= 0) {
    throw new UsageError(
      `${JSON.stringify(text)} is not a duration: write a number and a unit, such as 500ms, 60s, 2m, 1h or 7d.`
    )
  }
  return ms
}

/** For people: 850 ms, 12.3 s, 3 m 12 s, 5 h 2 m, 3 d 4 h. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} m`
  return `${Math.floor(minutes / 1_440)} d ${Math.floor(minutes / 60) % 24} h`
}
