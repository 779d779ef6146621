/**
 * How long is a cluster of five without a leader? A hundred clusters, each loses its leader once: killed (its connections
 * close) and cut off without a word (only silence tells). Virtual time, a few seconds of real time.
 */
import { createSimulation } from 'quorate/simulation'

async function withoutLeader(seed: number, how: 'killed' | 'cut off'): Promise<number> {
  const cluster = await createSimulation({ nodes: 5, seed })
  cluster.addAll()
  cluster.runUntil((c) => c.isFormed)
  cluster.run(1_000 + seed * 7)
  const old = cluster.leader!
  const lostAt = cluster.nowMs
  if (how === 'killed') cluster.crash(old)
  else cluster.partition([old])
  cluster.runUntil((c) => c.leader !== undefined && c.leader !== old)
  return cluster.nowMs - lostAt
}

for (const how of ['killed', 'cut off'] as const) {
  const times: number[] = []
  for (let seed = 1; seed <= 50; seed++) times.push(await withoutLeader(seed, how))
  times.sort((a, b) => a - b)
  const at = (share: number): string => times[Math.floor(share * (times.length - 1))]!.toFixed(0).padStart(4)
  console.log(`leader ${how.padEnd(8)} half within ${at(0.5)} ms, 90 % within ${at(0.9)} ms, all within ${at(1)} ms`)
}
