/**
 * Leaders that fall silent, in clusters that are calm: bench/election.ts says why they have to be. Several clusters live at the
 * same time, are given quiet together, and are then struck one after the other. In one period of quiet a cluster takes as
 * many blows as leave a majority of members that have not been struck.
 */
import { timingPresets, type TimingPreset } from '../../src/config-init/index.ts'
import { loseLeader, type Round } from './rounds.ts'
import { Switch } from './switch.ts'
import { Yard } from './yard.ts'

/** Four half-lives of what a node remembers of a stall (src/raft/suspicion.ts): a sixteenth of it is left. */
const CALM_HEARTBEATS = 4 * 64

export interface SilentInit {
  readonly loss: 'pause' | 'drop'
  readonly preset: TimingPreset
  /** Of the clusters; a size may be there more than once. */
  readonly sizes: readonly number[]
  readonly periods: number
}

interface Cluster {
  readonly size: number
  readonly yard: Yard
  readonly network: Switch | undefined
}

/** Rounds by size. */
export async function silentRounds({ loss, preset, sizes, periods }: SilentInit): Promise<Map<number, Round[]>> {
  const clusters: Cluster[] = []
  const found = new Map<number, Round[]>()
  try {
    for (const size of sizes) {
      const cluster = newCluster(size, loss, preset)
      clusters.push(cluster)
      await cluster.yard.prepare()
      await cluster.yard.startAll()
    }
    for (let period = 0; period < periods; period++) {
      await new Promise((resolve) => void setTimeout(resolve, CALM_HEARTBEATS * timingPresets[preset].raft.heartbeatMs))
      for (const { size, yard, network } of clusters) {
        const rounds = found.get(size) ?? []
        found.set(size, rounds)
        const blows = Math.max(1, Math.floor((size - 1) / 2))
        for (let i = 0; i < blows; i++)
          rounds.push(await loseLeader(yard, loss, network === undefined ? {} : { network }))
      }
    }
  } finally {
    for (const { yard, network } of clusters) {
      await yard.close()
      await network?.close()
    }
  }
  return found
}

function newCluster(size: number, loss: SilentInit['loss'], preset: TimingPreset): Cluster {
  const network = loss === 'drop' ? new Switch(size) : undefined
  const hosts = network && { namespaces: network.namespaces, addresses: network.addresses }
  const init = { size, discovery: 'seeds', timing: preset } as const
  return { size, network, yard: new Yard(hosts === undefined ? init : { ...init, hosts }) }
}
