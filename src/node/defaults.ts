/** What a node has when nobody says otherwise. */
import type { Logger } from './types.ts'

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Shown to peers for diagnosis; nothing decides on it. */
export const agent = 'quorate/0.1.0'
