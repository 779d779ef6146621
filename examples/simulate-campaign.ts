/** A hundred seeds of three machines under every kind of fault; what a failing seed would print is the way to see it again. */
import { runCampaign } from 'quorate/simulation'

const report = await runCampaign({
  nodes: 3,
  seeds: { from: 1, to: 100 },
  seconds: 20,
  onRun: ({ seed, violation }) => {
    if (violation !== undefined)
      console.log(`seed ${seed}: ${violation.invariant} after ${violation.atMs} ms, ${violation.detail}`)
  }
})

const { seeds, violations, elections, virtualSeconds, wallSeconds, recoveryMs } = report
console.log(`${seeds} runs, ${violations.length} broken, ${elections} elections`)
console.log(
  `${Math.round(virtualSeconds)} s of cluster time in ${wallSeconds.toFixed(1)} s; back to work after ${recoveryMs?.p50} ms`
)
