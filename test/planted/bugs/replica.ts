/** What committed entries lead to, and what callers are told: configs, requests, reads, snapshots of the state. */
import { bug, type PlantedBug, SNAPSHOT_FAULTS } from './bug.ts'

export const STATE: readonly PlantedBug[] = [
  bug(
    'a read is answered before its index is applied',
    'replica',
    'replica/requests.ts',
    'if (readIndex !== undefined && readIndex <= index)',
    'if (readIndex !== undefined)'
  ),
  bug(
    'nothing waits for the disk',
    'replica',
    'replica/outbox.ts',
    'if (write.owner === owner && write.inner <= inner) return write.id',
    ''
  ),
  bug(
    'one confirmed write confirms all',
    'replica',
    'replica/outbox.ts',
    'while (this.#open.length > 0 && this.#open[0]!.id <= id) {',
    'while (this.#open.length > 0) {'
  ),
  bug(
    'a request that is tried again is applied again',
    'replicated-config',
    'replicated-config/state.ts',
    'if (before !== undefined) return',
    'if (before !== undefined && state.current.version < 0) return'
  ),
  bug(
    'answered requests are forgotten with a snapshot',
    'replicated-config',
    'replicated-config/snapshot.ts',
    "for (const item of f.array('answers', ANSWERS_MAX)) answered = answered.add(decodeAnswer(item), ANSWERS_MAX)",
    "for (const item of f.array('answers', ANSWERS_MAX)) if (item === null) answered = answered.add(decodeAnswer(item), ANSWERS_MAX)",
    { only: SNAPSHOT_FAULTS }
  ),
  bug(
    'who ever was a member is forgotten with a snapshot',
    'replica',
    'replica/state-machine.ts',
    'this.#members.restore(snapshot)',
    '',
    { only: SNAPSHOT_FAULTS }
  ),
  bug(
    'a write on top of an older version overwrites what came between',
    'replicated-config',
    'replicated-config/state.ts',
    'if (command.ifVersion !== undefined && command.ifVersion !== actual) {',
    'if (command.ifVersion !== undefined && command.ifVersion > actual) {'
  ),
  bug(
    'a conflict names the version that was expected',
    'replicated-config',
    'replicated-config/state.ts',
    "return { type: 'conflict', expected: command.ifVersion, actual }",
    "return { type: 'conflict', expected: command.ifVersion, actual: command.ifVersion }"
  ),
  bug(
    'the first entry carries another config',
    'replica',
    'replica/consensus.ts',
    'firstEntryData: utf8(init.initialConfigText)',
    "firstEntryData: utf8(init.initialConfigText + ' ')"
  ),
  bug(
    'a version is numbered by its place in the log',
    'replicated-config',
    'replicated-config/state.ts',
    'version: state.current.version + 1,',
    'version: entry.index,'
  ),
  bug(
    'a request whose answer is lost is not asked again',
    'replica',
    'replica/requests.ts',
    'pending.retryAt = now + RETRY_MS',
    'pending.retryAt = Infinity'
  )
]
