/** The door to the faults: their kinds (`faults/kinds.ts`) and the plan of a run (`faults/plan.ts`); `fault-driver.ts` lets them happen. */
export { FAULT_IDS, FAULT_KINDS, LEADER } from './faults/kinds.ts'
export type { Fault, FaultId } from './faults/kinds.ts'
export { drawPlan, faultText, faultWords } from './faults/plan.ts'
