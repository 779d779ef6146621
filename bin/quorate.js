#!/usr/bin/env node
// The door of the command. It runs on any Node.js that can read it, so that an old one gets a sentence instead of a stack
// trace: no static imports, no syntax younger than dynamic import. Everything else is in src/cli/main.ts, bundled.

function tooOld(version) {
  const parts = version.split('.').map(Number)
  return parts[0] < 22 || (parts[0] === 22 && parts[1] < 12)
}

// As in src/cli/exit-codes.ts, which an old Node.js cannot read.
const BUG = 1
const PREFLIGHT = 8

function fail(message, exitCode) {
  process.stderr.write(message + '\n')
  process.exitCode = exitCode
}

function notBuilt(error) {
  return error && error.code === 'ERR_MODULE_NOT_FOUND' && /dist.command.main\.js/.test(error.message)
}

if (tooOld(process.versions.node)) {
  fail('quorate needs Node.js 22.12 or newer; this is ' + process.version, PREFLIGHT)
} else {
  import('node:module')
    .then(function (module) {
      module.enableCompileCache()
      return import('../dist/command/main.js')
    })
    .catch(function (error) {
      if (notBuilt(error)) fail('quorate: dist is missing; run `npm run build` first', PREFLIGHT)
      else fail((error && error.stack) || String(error), BUG)
    })
}
