/**
 * How large can it get? Five founders and machines with one join token start within a second; each is told of three others, drawn
 * by lot. How long until all of them are members and hold the config, and what does it cost?
 *
 *     node --expose-gc examples/simulate-scale.ts [machines]     1,000 take about three minutes of one core, and 4 GiB
 */
import { runJoin } from 'quorate/simulation'

const machines = Number(process.argv[2] ?? 100)
const { report } = await runJoin({
  founders: 5,
  joiners: machines - 5,
  onSample: ({ atMs, members, configured, connections }) => {
    if (atMs % 200 === 0)
      console.log(`${atMs / 1_000} s: ${members} members, ${configured} hold the config, ${connections} connections`)
  }
})
globalThis.gc?.()
const { joinedMs, formedMs, connections, connectionsMost, connectionsMedian, frames, frameBytes, logBytes } = report
console.log(`${machines} machines: founded after ${formedMs} ms, all joined after ${joinedMs} ms`)
console.log(`${connections} connections, ${connectionsMedian} for most machines, ${connectionsMost} for the busiest`)
console.log(`${frames} frames, ${Math.round(frameBytes / 1_024)} KiB; a log of ${Math.round(logBytes / 1_024)} KiB`)
console.log(`quiet: ${report.framesPerSecond} frames a second, ${report.leaderFramesPerSecond} at the leader`)
console.log(`memory: ${Math.round(process.memoryUsage().heapUsed / machines / 1_024)} KiB for each machine`)
console.log(`every invariant held: ${report.violations.length === 0}`)
