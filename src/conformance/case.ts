/** What every case of every suite is: a name and a run that brings its own harness and lets go of it. */

export interface ConformanceCase<Harness> {
  readonly name: string
  /** Throws an AssertionError when a promise is broken. */
  readonly run: (createHarness: () => Promise<Harness>) => Promise<void>
}

export const defineCase = <Harness extends { dispose(): Promise<void> }>(
  name: string,
  body: (harness: Harness) => Promise<void>
): ConformanceCase<Harness> => ({
  name,
  async run(createHarness) {
    const harness = await createHarness()
    try {
      await body(harness)
    } finally {
      await harness.dispose()
    }
  }
})
