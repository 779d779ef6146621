/** A scenario in code: a partition, a change that only the majority can make, and a picture of it all. */
import { writeFileSync } from 'node:fs'
import { createSimulation, reportPage } from 'quorate/simulation'

const cluster = await createSimulation({ nodes: 5, seed: 3, record: true })
cluster.addAll()
cluster.runUntil((c) => c.isFormed)
cluster.run(200)

const [leader, ...others] = [cluster.leader!, ...cluster.names.filter((name) => name !== cluster.leader)]
cluster.partition([leader, others[0]!], others.slice(1))
cluster.run(1_000)
cluster.set(cluster.leader!, { limit: 2 })
cluster.run(200)
console.table(cluster.nodes().map(({ name, role, term, config }) => ({ name, role, term, config })))

cluster.repair()
cluster.runUntil((c) => c.nodes().every(({ config }) => config === 2))
console.log(
  `all agree ${(cluster.nowMs / 1_000).toFixed(2)} s after the start; violations: ${cluster.violations.length}`
)

const [file] = process.argv.slice(2)
if (file !== undefined) {
  const { recorder } = cluster.world
  const page = reportPage({ title: 'A split', recorder: recorder!, virtualMs: cluster.nowMs, replay: 'node split.ts' })
  writeFileSync(file, page)
  console.log(`wrote ${file}`)
}
