/**
 * The simulator: the shipped code under a clock, a network and disks that do what a seed says.
 *
 * What runs is what ships: the replica with formation, consensus and config, the frame codec, the judge of admission, the
 * dial planner, the bytes and the recovery of the write-ahead log, and real Ed25519 documents. What is replaced is the world
 * around them: virtual time (`heap.ts`, `world.ts`), the network (`network.ts`, `session.ts`), the disk under the log
 * (`disk.ts`), and the asynchronous shells of node, transport and storage, which are a few synchronous lines here
 * (`process.ts`) and have tests of their own.
 *
 * Three ways in: `runCampaign` lets many seeds look for a violation, `shrink` makes a failing seed small, and
 * `createSimulation` is a cluster to drive by hand, also from a text file (`runScenario`). docs/SIMULATION.md has the list of
 * faults and invariants.
 *
 * Left out: mDNS, libp2p and real sockets, which test/integration has.
 */
export { NODE_OLDEST } from '../core/node-version.ts'
export { runCampaign } from './campaign.ts'
export type { CampaignInit, CampaignReport, CampaignViolation } from './campaign.ts'
export { castOf, castOfSeed } from './cast.ts'
export type { Cast } from './cast.ts'
export { drawPlan, FAULT_IDS, FAULT_KINDS, faultText } from './faults.ts'
export type { Fault, FaultId } from './faults.ts'
export type { Violation } from './oracle.ts'
export { Recorder } from './recorder.ts'
export { runJoin } from './join.ts'
export type { JoinInit, JoinReport, JoinSample } from './join.ts'
export { reportPage } from './report/page.ts'
export type { ReportRun } from './report/page.ts'
export { run } from './run.ts'
export type { Load, RunInit, RunResult } from './run.ts'
export { runScenario, ScenarioError } from './scenario.ts'
export type { FailedExpectation, ScenarioInit, ScenarioResult } from './scenario.ts'
export { shrink } from './shrink.ts'
export type { Shrunk, ShrinkInit } from './shrink.ts'
export { createSimulation, Simulation } from './simulation.ts'
export type { SimulationInit } from './simulation.ts'
export type { NodeView, SimulationResults } from './view.ts'
