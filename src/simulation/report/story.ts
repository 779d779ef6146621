/**
 * What the page knows: the marks of the run as segments of lanes and as sentences in their order, split votes among them, and the view that
 * the other parts share.
 */
export const STORY = String.raw`
'use strict'
const data = JSON.parse(document.getElementById('data').textContent)
const $ = (id) => document.getElementById(id)
const { names, kinds, frames, faults, marks, violations, failures } = data
const endMs = Math.max(1, data.virtualMs)
const KIND_GROUP = kinds.map((k) => k.includes('vote') || k === 'transfer' ? 'vote' : k.startsWith('heartbeat') ? 'heartbeat' : k === 'other' ? 'formation' : 'append')
const GROUPS = [['vote', 'votes'], ['append', 'log'], ['heartbeat', 'heartbeats'], ['formation', 'founding and other']]
const shown = { vote: true, append: true, heartbeat: false, formation: true }
const laneHidden = new Set()
let view = { from: 0, to: endMs }
let now = 0
let playing = false
let speed = 0.1
// Of a hundred machines the messages are a fog: they come when asked for.
const MANY = 16
let showFrames = names.length <= MANY

// ── Lanes as segments ──
const segments = names.map(() => [])
const configs = names.map(() => [])
const notes = names.map(() => [])
const story = []
const say = (atMs, text, kind, node) => story.push({ atMs, text, kind: kind || '', node })
const terms = names.map(() => 0)
names.forEach((_, node) => {
  let open = { from: 0, state: 'down', role: 'down', term: 0 }
  const cut = (atMs, next) => {
    if (atMs > open.from || open.role !== 'down') { open.to = atMs; segments[node].push(open) }
    open = Object.assign({}, open, { from: atMs, to: undefined }, next)
  }
  for (const m of marks) {
    if (m.node !== node) continue
    if (m.type === 'life') cut(m.atMs, m.state === 'up' ? { role: 'forming', term: 0, paused: false } : { role: 'down', paused: false, how: m.how })
    else if (m.type === 'role') cut(m.atMs, { role: m.role, term: m.term, why: m.why })
    else if (m.type === 'leader') { if (m.term > 0 && open.role !== 'down' && (m.term !== open.term || m.leader !== open.leader)) cut(m.atMs, { term: Math.max(m.term, open.term), leader: m.leader }) }
    else if (m.type === 'paused') cut(m.atMs, { paused: m.paused })
    else if (m.type === 'config') configs[node].push(m)
    else notes[node].push(m)
  }
  open.to = endMs
  segments[node].push(open)
})
const sentence = (m) => {
  const n = names[m.node]
  if (m.type === 'life') return m.state === 'up' ? n + ' starts' : n + (m.how === 'power' ? ' loses power' : m.how === 'disk' ? ' stops: its disk failed' : ' is killed')
  if (m.type === 'leader') return m.leader ? n + ' hears of leader ' + m.leader + ' of term ' + m.term : n + ' has no leader in term ' + m.term
  if (m.type === 'paused') return m.paused ? n + ' stands still' : n + ' wakes up'
  if (m.type === 'config') return n + ' applies config ' + m.version
  if (m.type === 'note') return n + ': ' + m.text + (m.detail ? ' (' + m.detail + ')' : '')
  if (m.why.startsWith('founded')) return n + ' has the founding certificate: the cluster exists'
  if (m.role === 'pre-candidate') return n + ' misses a leader (' + m.why + ') and asks whether it would win term ' + (m.term + 1)
  if (m.role === 'candidate') return n + ' votes for itself in term ' + m.term + ' and asks the others (' + m.why + ')'
  if (m.role === 'leader') return n + ' leads term ' + m.term + ' (' + m.why + ')'
  return n + ' follows in term ' + m.term + ' (' + m.why + ')'
}
for (const m of marks) if (m.type !== 'leader' || (m.leader && m.leader !== names[m.node])) say(m.atMs, sentence(m), '', m.node)
// A split vote: several ask for votes in one term, and nobody gets enough.
const candidates = new Map(), led = new Set()
for (const m of marks) {
  if (m.type !== 'role') continue
  if (m.role === 'leader') led.add(m.term)
  if (m.role === 'candidate') candidates.set(m.term, (candidates.get(m.term) || []).concat(m))
}
const splits = []
for (const [term, list] of candidates) {
  const who = [...new Set(list.map((m) => names[m.node]))]
  if (who.length < 2 || led.has(term)) continue
  splits.push({ atMs: list[1].atMs, term })
  say(list[1].atMs + 1e-4, 'Split vote: ' + who.slice(0, -1).join(', ') + ' and ' + who.at(-1) + ' all ask for votes in term ' + term + '. Each has voted for itself, the other votes are divided, and nobody has a majority: the term ends without a leader', 'split')
}
for (const f of faults) {
  say(f.fromMs, f.isVerb ? '▸ ' + f.text : f.text, 'fault')
  if (f.untilMs > f.fromMs && f.untilMs < endMs) say(f.untilMs, (f.isVerb ? f.text : f.short) + ' ends', 'fault')
}
for (const f of failures) say(f.atMs, 'Line ' + f.line + ', ' + f.text + ', does not hold: ' + f.instead, 'bad')
// What went wrong first, if anything did.
const wrong = violations[0] || failures[0]
for (const v of violations) say(v.atMs, 'BROKEN: ' + v.invariant + '. ' + (v.node ? v.node + ': ' : '') + v.detail, 'bad')
story.sort((a, b) => a.atMs - b.atMs)
frames.sort((a, b) => a[3] - b[3])
const longest = frames.reduce((most, f) => Math.max(most, (f[4] === null ? f[3] : f[4]) - f[3]), 0)

const lowerBound = (list, at, of) => {
  let low = 0, high = list.length
  while (low < high) { const mid = (low + high) >> 1; if (of(list[mid]) < at) low = mid + 1; else high = mid }
  return low
}
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
let palette = {}
const readPalette = () => {
  palette = {}
  for (const name of ['paper', 'card', 'ink', 'soft', 'faint', 'line', 'accent', 'bad', 'leader', 'candidate', 'pre-candidate', 'follower', 'forming', 'down', 'hatch', 'vote', 'append', 'heartbeat', 'formation', 'fault']) palette[name] = css('--' + name)
}
`
