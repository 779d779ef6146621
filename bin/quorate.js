#!/usr/bin/env node
// The door of the command. It runs on any Node.js, so that an old one gets a sentence instead of a stack trace: no syntax and no
// module that is younger than the oldest. Everything else is in src/cli, bundled; src/cli/compiled.ts loads it.
'use strict'

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
  return error && error.code === 'MODULE_NOT_FOUND' && /dist.command.loader\.js/.test(error.message)
}

if (tooOld(process.versions.node)) {
  fail('quorate needs Node.js 22.12 or newer; this is ' + process.version, PREFLIGHT)
} else {
  try {
    const loader = require('../dist/command/loader.js')
    loader.load('main.js', require('node:path').join(__dirname, '../dist/command'), loader)
  } catch (error) {
    if (notBuilt(error)) fail('quorate: dist is missing; run `npm run build` first', PREFLIGHT)
    else fail((error && error.stack) || String(error), BUG)
  }
}
