/**
 * Bugs on purpose: each is a small change of the shipped code, such as somebody might make, that a simulator worth its name
 * has to find. Many are the known holes of Raft implementations (test/raft/holes.test.ts has their numbers).
 *
 * A patch names a text that must stand in the file exactly once: when the code changes, the patch says so instead of
 * planting nothing.
 */
export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface PlantedBug {
  readonly name: string
  readonly room:
    'raft' | 'formation' | 'storage' | 'replica' | 'membership' | 'identity' | 'replicated-config' | 'discovery'
  readonly edits: readonly Edit[]
  /** Draw only these faults: where a bug needs a rare mixture, the search is told the kinds, never the moment. */
  readonly only?: readonly string[]
  readonly nodes?: number
}

export const bug = (
  name: string,
  room: PlantedBug['room'],
  file: string,
  find: string,
  replace: string,
  more: Partial<PlantedBug> = {}
): PlantedBug => ({
  name,
  room,
  edits: [{ file: `src/${file}`, find, replace }, ...(more.edits ?? [])],
  ...without(more)
})

const without = ({ edits: _edits, ...rest }: Partial<PlantedBug>): Partial<PlantedBug> => rest

/** Logs are cut early, and somebody is away for long enough to need what was cut. */
export const SNAPSHOT_FAULTS = ['D9', 'N5', 'P1', 'P4', 'O11', 'M1', 'D7']
