/** All bugs that are planted, room by room; what one is stands in bugs/bug.ts. */
import type { PlantedBug } from './bugs/bug.ts'
import { FOUNDING } from './bugs/formation.ts'
import { CONSENSUS } from './bugs/raft.ts'
import { STATE } from './bugs/replica.ts'
import { STORAGE } from './bugs/storage.ts'
import { TRUST } from './bugs/trust.ts'

export type { PlantedBug } from './bugs/bug.ts'

export const PLANTED: readonly PlantedBug[] = [...CONSENSUS, ...FOUNDING, ...STORAGE, ...STATE, ...TRUST]
