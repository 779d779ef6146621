/** Empties dist, so that a file which lost its source is never packed. */
import { rmSync } from 'node:fs'

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })
