/** What a run has seen happen, by name: what no campaign may have left out. */
export type CoverageKind = 'role' | 'membership'
export class Coverage {
  readonly counts = new Map<string, number>()
  hit(kind: CoverageKind, what: string): void {
    const key = `${kind}: ${what}`
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1)
  }
}
