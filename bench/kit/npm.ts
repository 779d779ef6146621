/** Packages from npm that only a benchmark wants: installed into a temporary directory, never run by install scripts, removed. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../src/core/errors.ts'

const PATIENCE_MS = 120_000

export type Installed = { readonly directory: string } | { readonly failed: string }

/** `specifiers`: with exact versions. */
export function installPackages(specifiers: readonly string[]): Installed {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-bench-npm-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(join(directory, 'package.json'), '{"private":true}')
  const words = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...specifiers]
  try {
    execFileSync('npm', words, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'], timeout: PATIENCE_MS })
    return { directory }
  } catch (error) {
    return { failed: `npm could not install ${specifiers.join(' ')}: ${messageOf(error).split('\n')[0]}` }
  }
}
