/**
 * What the report does, as the text of a script: it runs in a browser and has no part in a simulation. Plain canvas: ten
 * thousand marks and as many frames are drawn in a few milliseconds, because only what lies in the window is looked at.
 */
export const SCRIPT = String.raw`
'use strict'
const data = JSON.parse(document.getElementById('data').textContent)
const $ = (id) => document.getElementById(id)
const { names, kinds, frames, faults, marks, violations } = data
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
for (const f of faults) say(f.fromMs, f.text, 'fault')
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

// ── Geometry ──
const LEFT = 26 + Math.max(30, ...names.map((name) => name.length * 8)), RIGHT = 14, TOP = 30, FAULT_H = 15
const faultRows = []
{
  const ends = []
  for (const f of faults) {
    const until = Math.max(f.untilMs, f.fromMs + endMs / 26)
    let row = ends.findIndex((e) => e <= f.fromMs)
    if (row === -1) row = ends.length
    ends[row] = until
    faultRows.push(Math.min(row, 9))
  }
}
const rowCount = faultRows.length === 0 ? 0 : Math.max(...faultRows) + 1
let shownLanes = names.map((_, i) => i)
const laneOf = new Map()
const lanesChanged = () => {
  shownLanes = names.map((_, i) => i).filter((i) => !laneHidden.has(i))
  laneOf.clear()
  shownLanes.forEach((node, i) => laneOf.set(node, i))
}
lanesChanged()
const visible = () => shownLanes
// Few lanes have room for words and arrows; a hundred are threads that fit on one screen.
const laneHeight = () => shownLanes.length <= MANY ? Math.max(42, Math.min(84, 430 / Math.max(1, shownLanes.length))) : Math.max(6, 640 / shownLanes.length)
const barHeight = () => { const h = laneHeight(); return h >= 42 ? h - 20 : h >= 24 ? h - 8 : h - 1 }
const lanesTop = () => TOP + rowCount * FAULT_H + (rowCount ? 12 : 0)
const height = () => lanesTop() + shownLanes.length * laneHeight() + 14
const laneY = (node) => lanesTop() + laneOf.get(node) * laneHeight()

const canvas = $('lanes'), map = $('map')
let width = 800
const fit = (c, w, h) => {
  const ratio = window.devicePixelRatio || 1
  c.style.height = h + 'px'
  if (c.width !== Math.round(w * ratio) || c.height !== Math.round(h * ratio)) { c.width = Math.round(w * ratio); c.height = Math.round(h * ratio) }
  const g = c.getContext('2d')
  g.setTransform(ratio, 0, 0, ratio, 0, 0)
  g.clearRect(0, 0, w, h)
  return g
}
const x = (ms) => LEFT + ((ms - view.from) / (view.to - view.from)) * (width - LEFT - RIGHT)
const ms = (px) => view.from + ((px - LEFT) / (width - LEFT - RIGHT)) * (view.to - view.from)
const text = (value) => value === 0 ? '0' : value >= 10000 ? (value / 1000).toFixed(value >= 100000 ? 0 : 1) + ' s' : value >= 100 ? value.toFixed(0) + ' ms' : value.toFixed(value >= 10 ? 1 : 2) + ' ms'
const tickStep = () => {
  const span = view.to - view.from, raw = span / Math.max(4, width / 130)
  const power = 10 ** Math.floor(Math.log10(raw))
  return [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw)
}
const hatch = (g, x0, y0, w, h, colour) => {
  g.save(); g.beginPath(); g.rect(x0, y0, w, h); g.clip(); g.strokeStyle = colour; g.lineWidth = 1; g.beginPath()
  for (let i = -h; i < w; i += 7) { g.moveTo(x0 + i, y0 + h); g.lineTo(x0 + i + h, y0) }
  g.stroke(); g.restore()
}
const termHue = (term) => 'hsl(' + ((term * 67 + 210) % 360) + ' 60% 55%)'

// ── Drawing ──
let queued = false
const draw = () => { if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; paint() }) } }
const paint = () => {
  width = canvas.parentElement.clientWidth
  paintLanes(); paintMap(); panel()
}
const paintLanes = () => {
  const g = fit(canvas, width, height()), h = laneHeight(), right = width - RIGHT
  g.font = '12px system-ui, sans-serif'; g.textBaseline = 'middle'
  const step = tickStep()
  g.strokeStyle = palette.line; g.fillStyle = palette.faint; g.lineWidth = 1
  for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) {
    const px = Math.round(x(t)) + 0.5
    g.beginPath(); g.moveTo(px, TOP - 6); g.lineTo(px, height() - 8); g.stroke()
    g.textAlign = 'center'; g.fillText(text(t), Math.min(Math.max(px, LEFT + 14), right - 16), 13)
  }
  g.textAlign = 'left'
  faults.forEach((f, i) => {
    if (f.untilMs < view.from || f.fromMs > view.to) return
    const y = TOP + faultRows[i] * FAULT_H, a = Math.max(LEFT, x(f.fromMs)), b = Math.min(right, Math.max(a + 3, x(f.untilMs)))
    g.globalAlpha = 0.16; g.fillStyle = palette.fault; g.fillRect(a, y, b - a, FAULT_H - 3)
    g.globalAlpha = 1; g.fillRect(a, y, 2.5, FAULT_H - 3)
    const label = b - a > 90 ? f.text.replace(/ at .*/, '') : f.id
    g.save(); g.beginPath(); g.rect(a, y, Math.max(b - a, 30), FAULT_H); g.clip(); g.font = '11px system-ui, sans-serif'; g.fillText(label, a + 6, y + (FAULT_H - 3) / 2); g.restore()
  })
  g.font = '12px system-ui, sans-serif'
  for (const node of visible()) {
    const y = laneY(node) + (h >= 42 ? 6 : 0), bar = barHeight(), roomy = bar >= 14
    const named = roomy || laneOf.get(node) % Math.ceil(13 / h) === 0
    if (named) { g.fillStyle = palette.ink; g.font = (roomy ? '600 13px' : '11px') + ' system-ui, sans-serif'; g.fillText(names[node], 14, y + bar / 2); g.font = '12px system-ui, sans-serif' }
    for (let i = Math.max(0, lowerBound(segments[node], view.from, (s) => s.to)); i < segments[node].length; i++) {
      const s = segments[node][i]
      if (s.from > view.to) break
      const a = Math.max(LEFT, x(s.from)), b = Math.min(right, x(s.to)), w = Math.max(0.8, b - a)
      if (s.role === 'down') { g.fillStyle = palette.down; g.fillRect(a, y + bar * 0.38, w, bar * 0.24); continue }
      g.fillStyle = palette[s.role] || palette.follower
      g.fillRect(a, y, w, bar)
      if (s.paused) hatch(g, a, y, w, bar, palette.card)
      if (s.term > 0 && h >= 24) { g.fillStyle = termHue(s.term); g.fillRect(a, y + bar, w, 4) }
      const words = s.paused ? 'stands still' : s.role === 'forming' ? 'forming' : s.role + (s.term ? ' · term ' + s.term : '')
      const space = b - a - 12
      if (space > 26 && roomy) {
        g.fillStyle = s.role === 'leader' ? palette.card : s.role.endsWith('candidate') ? '#1d1f24' : palette.ink
        const short = space > g.measureText(words).width ? words : s.term ? 't' + s.term : ''
        if (short && space > g.measureText(short).width) g.fillText(short, a + 7, y + bar / 2)
      }
    }
    for (const m of configs[node]) {
      if (m.atMs < view.from || m.atMs > view.to) continue
      const px = x(m.atMs)
      g.fillStyle = palette.ink
      if (!roomy) { g.fillRect(px - 1, y, 2, bar); continue }
      g.beginPath(); g.moveTo(px, y - 5); g.lineTo(px + 4, y - 1); g.lineTo(px, y + 3); g.lineTo(px - 4, y - 1); g.fill()
    }
    g.fillStyle = palette.fault
    for (const m of notes[node]) if (m.atMs >= view.from && m.atMs <= view.to && /alarm|refused|conflict/.test(m.text)) { g.beginPath(); g.arc(x(m.atMs), y + bar / 2, 2.4, 0, 7); g.fill() }
  }
  if (showFrames) {
    g.save(); g.beginPath(); g.rect(LEFT, lanesTop() - 8, right - LEFT, height()); g.clip()
    paintFrames(g)
    g.restore()
  }
  for (const v of violations.slice(0, 1)) {
    if (v.atMs < view.from || v.atMs > view.to) continue
    const px = x(v.atMs)
    g.strokeStyle = palette.bad; g.lineWidth = 2; g.beginPath(); g.moveTo(px, TOP - 8); g.lineTo(px, height() - 8); g.stroke()
    g.fillStyle = palette.bad; g.font = '700 12px system-ui, sans-serif'
    const w = g.measureText(v.invariant).width + 12, left = Math.min(px, right - w)
    g.fillRect(left, TOP - 12, w, 16); g.fillStyle = palette.card; g.fillText(v.invariant, left + 6, TOP - 4)
  }
  if (now >= view.from && now <= view.to) {
    const px = x(now)
    g.strokeStyle = palette.accent; g.lineWidth = 1.5; g.beginPath(); g.moveTo(px, 22); g.lineTo(px, height() - 6); g.stroke()
    g.fillStyle = palette.accent; g.beginPath(); g.moveTo(px - 6, 19); g.lineTo(px + 6, 19); g.lineTo(px, 27); g.fill()
  }
}
const FRAMES_DRAWN = 4000
const paintFrames = (g) => {
  const mid = barHeight() / 2 + (laneHeight() >= 42 ? 0 : -6)
  const first = lowerBound(frames, view.from - longest, (f) => f[3]), last = lowerBound(frames, view.to, (f) => f[3])
  const wanted = []
  for (let i = first; i < last; i++) { const f = frames[i]; if (shown[KIND_GROUP[f[0]]] && !laneHidden.has(f[1]) && !laneHidden.has(f[2])) wanted.push(f) }
  const every = Math.max(1, Math.ceil(wanted.length / FRAMES_DRAWN)), dense = wanted.length > 700
  const pxPerMs = (width - LEFT - RIGHT) / (view.to - view.from)
  $('density').textContent = every > 1 ? '1 of ' + every + ' frames drawn: zoom in for all' : ''
  g.lineWidth = 1
  for (let i = 0; i < wanted.length; i += every) {
    const f = wanted[i], lost = f[4] === null, a = x(f[3]), b = lost ? a + Math.min(14, 1 * pxPerMs + 3) : x(f[4])
    if (b < LEFT) continue
    const ya = laneY(f[1]) + 6 + mid, yb = laneY(f[2]) + 6 + mid, yEnd = lost ? ya + (yb - ya) * 0.35 : yb
    const ballot = kinds[f[0]] === 'vote-granted', refused = kinds[f[0]] === 'vote-refused'
    g.strokeStyle = g.fillStyle = lost ? palette.fault : palette[KIND_GROUP[f[0]]]
    g.globalAlpha = dense ? 0.22 : ballot ? 1 : 0.7
    g.lineWidth = ballot && !dense ? 2.4 : 1
    g.setLineDash(refused && !dense ? [4, 4] : [])
    g.beginPath(); g.moveTo(Math.max(LEFT, a), ya); g.lineTo(b, yEnd); g.stroke()
    if (dense) continue
    if (lost) { g.beginPath(); g.moveTo(b - 3, yEnd - 3); g.lineTo(b + 3, yEnd + 3); g.moveTo(b + 3, yEnd - 3); g.lineTo(b - 3, yEnd + 3); g.stroke() }
    else { const angle = Math.atan2(yEnd - ya, b - a); g.beginPath(); g.moveTo(b, yEnd); g.lineTo(b - 7 * Math.cos(angle - 0.4), yEnd - 7 * Math.sin(angle - 0.4)); g.lineTo(b - 7 * Math.cos(angle + 0.4), yEnd - 7 * Math.sin(angle + 0.4)); g.fill() }
  }
  g.globalAlpha = 1; g.lineWidth = 1; g.setLineDash([])
  // What is on its way at this very moment.
  for (let i = lowerBound(frames, now - longest, (f) => f[3]); i < frames.length && frames[i][3] <= now; i++) {
    const f = frames[i]
    if (f[4] === null || f[4] < now || laneHidden.has(f[1]) || laneHidden.has(f[2]) || !shown[KIND_GROUP[f[0]]]) continue
    const share = (now - f[3]) / Math.max(0.001, f[4] - f[3]), ya = laneY(f[1]) + 6 + mid, yb = laneY(f[2]) + 6 + mid
    g.fillStyle = palette[KIND_GROUP[f[0]]]; g.beginPath(); g.arc(x(now), ya + (yb - ya) * share, 4, 0, 7); g.fill()
    g.strokeStyle = palette.card; g.lineWidth = 1.2; g.stroke()
  }
}
const paintMap = () => {
  const g = fit(map, width, 46), span = width - LEFT - RIGHT, at = (t) => LEFT + (t / endMs) * span
  const row = 26 / Math.max(1, names.length)
  names.forEach((_, node) => {
    for (const s of segments[node]) {
      if (s.role === 'down') continue
      g.fillStyle = palette[s.role] || palette.follower
      g.fillRect(at(s.from), 10 + node * row, Math.max(0.6, at(s.to) - at(s.from)), Math.max(1, row - 1))
    }
  })
  g.fillStyle = palette.fault; g.globalAlpha = 0.6
  for (const f of faults) g.fillRect(at(f.fromMs), 4, Math.max(1.5, at(Math.min(endMs, f.untilMs)) - at(f.fromMs)), 3)
  g.globalAlpha = 1
  for (const v of violations) { g.fillStyle = palette.bad; g.fillRect(at(v.atMs) - 1, 2, 2.5, 42) }
  g.fillStyle = palette.paper; g.globalAlpha = 0.65; g.fillRect(LEFT, 0, at(view.from) - LEFT, 46); g.fillRect(at(view.to), 0, width - RIGHT - at(view.to), 46); g.globalAlpha = 1
  g.strokeStyle = palette.accent; g.lineWidth = 1.5; g.strokeRect(at(view.from), 1, Math.max(3, at(view.to) - at(view.from)), 43)
  g.fillStyle = palette.accent; g.fillRect(at(now) - 0.75, 0, 1.5, 46)
}

// ── The panel beside it ──
const stateAt = (node) => segments[node][Math.max(0, Math.min(segments[node].length - 1, lowerBound(segments[node], now + 1e-6, (s) => s.to)))]
const RANK = { leader: 0, candidate: 1, 'pre-candidate': 2, follower: 3, forming: 4, down: 5 }
let tableText = '', storyAt = -1, ballotText = ''
const panel = () => {
  $('clock').textContent = (now / 1000).toFixed(4) + ' s'
  if (document.activeElement !== $('scrub')) $('scrub').value = String(Math.round((now / endMs) * 10000))
  const order = names.length <= MANY ? names.map((_, i) => i) : shownLanes.toSorted((a, b) => RANK[stateAt(a).role] - RANK[stateAt(b).role] || a - b)
  const rows = order.map((node) => {
    const name = names[node], s = stateAt(node), version = configs[node].filter((m) => m.atMs <= now).length ? configs[node].filter((m) => m.atMs <= now).at(-1).version : '–'
    const role = s.role === 'down' ? 'down' : s.paused ? 'stands still' : s.role
    return '<tr><td><span class="dot" style="--c:var(--' + s.role + ')"></span>' + name + '</td><td>' + role + '</td><td>' + (s.term || '–') + '</td><td>' + version + '</td></tr>'
  }).join('')
  if (rows !== tableText) { $('now').innerHTML = rows; tableText = rows }
  const votes = ballot()
  if (votes !== ballotText) { $('ballot').innerHTML = votes; $('ballots').hidden = votes === ''; ballotText = votes }
  const at = lowerBound(story, now + 1e-6, (e) => e.atMs) - 1
  if (at === storyAt) return
  storyAt = at
  const list = $('story'); list.textContent = ''
  for (let i = Math.max(0, at - 4); i < Math.min(story.length, at + 9); i++) {
    const e = story[i], item = document.createElement('li'), when = document.createElement('time')
    item.className = e.kind + (i === at ? ' now' : '')
    when.textContent = (e.atMs / 1000).toFixed(4)
    item.append(when, e.text)
    item.onclick = () => go(e.atMs)
    list.append(item)
  }
  const current = list.querySelector('.now')
  if (current) list.scrollTop = Math.max(0, current.offsetTop - list.offsetTop - 150)
}

// ── Who voted for whom, as far as it is known at this moment ──
const granted = frames.filter((f) => kinds[f[0]] === 'vote-granted')
const campaigns = marks.filter((m) => m.type === 'role' && m.role === 'candidate').sort((a, b) => a.atMs - b.atMs)
const crowned = new Map(marks.filter((m) => m.type === 'role' && m.role === 'leader').map((m) => [m.term, m]))
const ballot = () => {
  const begun = campaigns.slice(0, lowerBound(campaigns, now + 1e-6, (m) => m.atMs))
  if (begun.length === 0) return ''
  const term = begun.reduce((most, m) => Math.max(most, m.term), 0)
  const winner = crowned.get(term), won = winner && winner.atMs <= now + 1e-6
  const who = [...new Set(begun.filter((m) => m.term === term).map((m) => m.node))]
  const lines = who.map((node) => {
    const mine = granted.filter((f) => f[2] === node && f[5] === term && f[3] <= now + 1e-6)
    const came = [...new Set(mine.filter((f) => f[4] !== null && f[4] <= now + 1e-6).map((f) => f[1]))]
    const away = [...new Set(mine.filter((f) => f[4] !== null && f[4] > now + 1e-6).map((f) => f[1]))].filter((v) => !came.includes(v))
    const lost = [...new Set(mine.filter((f) => f[4] === null).map((f) => f[1]))].filter((v) => !came.includes(v) && !away.includes(v))
    const mark = (kind, title) => (v) => '<i class="' + kind + '" title="' + names[v] + title + '">' + names[v] + '</i>'
    const all = mark('own', ' voted for itself')(node) + came.filter((v) => v !== node).map(mark('came', ' voted for it')).join('') + away.map(mark('away', ': its vote is on the way')).join('') + lost.map(mark('lost', ': its vote was lost')).join('')
    return '<div class="race"><b>' + names[node] + '</b><span>' + all + '</span><em>' + (1 + came.filter((v) => v !== node).length) + '</em></div>'
  })
  const end = won ? names[winner.node] + ' has more than half of all votes and leads term ' + term + '.' : crowned.has(term) ? 'Nobody has more than half of all votes yet.' : 'Nobody gets more than half of all votes. A machine votes once in a term, so the next attempt is another term.'
  return '<p>Term ' + term + '</p>' + lines.join('') + '<p class="end">' + end + '</p>'
}

// ── Moving ──
const clamp = (value, low, high) => Math.max(low, Math.min(high, value))
const setView = (from, to) => {
  const span = clamp(to - from, Math.min(0.5, endMs), endMs)
  const start = clamp(from, 0, endMs - span)
  view = { from: start, to: start + span }
  draw()
}
const go = (t) => {
  now = clamp(t, 0, endMs)
  const span = view.to - view.from
  if (now < view.from || now > view.to) setView(now - span / 2, now + span / 2)
  draw()
}
const zoom = (factor, around) => { const c = around === undefined ? now : around; setView(c - (c - view.from) * factor, c + (view.to - c) * factor) }
const step = (direction) => {
  const i = direction > 0 ? lowerBound(story, now + 1e-6, (e) => e.atMs) : lowerBound(story, now - 1e-6, (e) => e.atMs) - 1
  if (story[i]) go(story[i].atMs)
}
const focusOn = (t, span) => { setView(t - span * 0.7, t + span * 0.3); go(t) }
let lastTick = 0
const tick = (stamp) => {
  if (!playing) return
  const passed = lastTick ? Math.min(100, stamp - lastTick) : 16
  lastTick = stamp
  now = clamp(now + passed * speed, 0, endMs)
  const span = view.to - view.from
  if (now > view.to - span * 0.1 && view.to < endMs) setView(now - span * 0.5, now + span * 0.5)
  if (now < view.from) setView(now, now + span)
  if (now >= endMs) play(false)
  draw()
  requestAnimationFrame(tick)
}
const play = (on) => {
  playing = on; lastTick = 0
  $('play').textContent = on ? 'Pause' : 'Play'
  if (on) { if (now >= endMs) now = 0; requestAnimationFrame(tick) }
}
const toggleFrames = () => { showFrames = !showFrames; $('frames').setAttribute('aria-pressed', String(showFrames)); draw() }

$('frames').setAttribute('aria-pressed', String(showFrames))
$('play').onclick = () => play(!playing)
$('back').onclick = () => step(-1)
$('next').onclick = () => step(1)
$('in').onclick = () => zoom(0.5)
$('out').onclick = () => zoom(2)
$('all').onclick = () => setView(0, endMs)
$('frames').onclick = toggleFrames
$('speed').onchange = (e) => { speed = Number(e.target.value) }
$('scrub').oninput = (e) => go((Number(e.target.value) / 10000) * endMs)
$('theme').onclick = () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  document.documentElement.dataset.theme = dark ? 'light' : 'dark'
  readPalette(); draw()
}
for (const [key, label] of GROUPS) {
  const chip = document.createElement('button')
  chip.className = 'chip'; chip.style.setProperty('--c', 'var(--' + key + ')')
  chip.setAttribute('aria-pressed', String(shown[key]))
  chip.append(document.createElement('i'), label)
  chip.onclick = () => { shown[key] = !shown[key]; chip.setAttribute('aria-pressed', String(shown[key])); draw() }
  $('chips').append(chip)
}
if (names.length <= MANY) names.forEach((name, node) => {
  const chip = document.createElement('button')
  chip.className = 'chip'; chip.setAttribute('aria-pressed', 'true'); chip.textContent = name
  chip.onclick = () => { laneHidden.has(node) ? laneHidden.delete(node) : laneHidden.add(node); chip.setAttribute('aria-pressed', String(!laneHidden.has(node))); lanesChanged(); draw() }
  $('nodes').append(chip)
})
// Many machines are chosen by name: n1 n5, n20-n40, or a part of a name.
if (names.length > MANY) {
  const which = document.createElement('input')
  which.type = 'search'; which.id = 'which'; which.placeholder = 'machines: n1 n5 n20-n40'; which.setAttribute('aria-label', 'Machines to show')
  which.oninput = () => {
    const words = which.value.split(/[\s,]+/).filter(Boolean)
    laneHidden.clear()
    const fits = (name) => words.some((w) => { const range = /^n?(\d+)-n?(\d+)$/.exec(w), n = Number(name.replace(/\D/g, '')); return range ? n >= Number(range[1]) && n <= Number(range[2]) : name === w })
    if (words.length) names.forEach((name, node) => { if (!fits(name)) laneHidden.add(node) })
    if (laneHidden.size === names.length) laneHidden.clear()
    lanesChanged(); draw()
  }
  $('nodes').append(which)
}
if ($('jump')) $('jump').onclick = () => focusOn(violations[0].atMs, Math.min(endMs, 60))

const dragOn = (element, during) => {
  element.addEventListener('pointerdown', (down) => {
    element.setPointerCapture(down.pointerId)
    const start = { x: down.offsetX, view: Object.assign({}, view), shift: down.shiftKey }
    during(down, start)
    const move = (e) => during(e, start)
    element.addEventListener('pointermove', move)
    element.addEventListener('pointerup', () => element.removeEventListener('pointermove', move), { once: true })
  })
}
dragOn(canvas, (e, start) => {
  if (start.shift) { const d = ((e.offsetX - start.x) / (width - LEFT - RIGHT)) * (start.view.to - start.view.from); setView(start.view.from - d, start.view.to - d) }
  else go(ms(clamp(e.offsetX, LEFT, width - RIGHT)))
})
dragOn(map, (e) => {
  const t = ((e.offsetX - LEFT) / (width - LEFT - RIGHT)) * endMs, span = view.to - view.from
  setView(t - span / 2, t + span / 2); go(clamp(t, 0, endMs))
})
canvas.addEventListener('wheel', (e) => {
  e.preventDefault()
  if (Math.abs(e.deltaX) > Math.abs(e.deltaY) || e.shiftKey) { const d = ((e.deltaX || e.deltaY) / width) * (view.to - view.from); setView(view.from + d, view.to + d) }
  else zoom(Math.exp(e.deltaY * 0.0015), ms(e.offsetX))
}, { passive: false })
canvas.addEventListener('pointermove', (e) => {
  const t = ms(e.offsetX), tip = $('tip')
  let words = ''
  for (const node of visible()) {
    const y = laneY(node)
    if (e.offsetY < y || e.offsetY >= y + laneHeight()) continue
    const s = segments[node].find((one) => one.from <= t && t <= one.to)
    const near = configs[node].concat(notes[node]).find((m) => Math.abs(x(m.atMs) - e.offsetX) < 5)
    if (near) words = sentence(near)
    else if (s) words = names[node] + ' ' + (s.role === 'down' ? 'is down' : s.role + (s.term ? ' in term ' + s.term : '')) + (s.why && s.role !== 'down' ? ': ' + s.why : '') + ', ' + text(s.from) + ' to ' + text(s.to)
  }
  faults.forEach((f, i) => { const y = TOP + faultRows[i] * FAULT_H; if (e.offsetY >= y && e.offsetY < y + FAULT_H && t >= f.fromMs && t <= Math.max(f.untilMs, f.fromMs + 5 / ((width - LEFT) / (view.to - view.from)))) words = f.text })
  tip.textContent = words; tip.style.opacity = words ? '1' : '0'
  tip.style.left = Math.min(e.clientX + 14, innerWidth - 350) + 'px'; tip.style.top = e.clientY + 16 + 'px'
})
canvas.addEventListener('pointerleave', () => { $('tip').style.opacity = '0' })
addEventListener('keydown', (e) => {
  if (e.target.tagName === 'SELECT' || e.target.type === 'search' || e.ctrlKey || e.metaKey || e.altKey) return
  if (e.target.tagName === 'BUTTON' && (e.key === ' ' || e.key === 'Enter')) return
  const span = view.to - view.from
  const keys = {
    ' ': () => play(!playing), ArrowRight: () => e.shiftKey ? setView(view.from + span / 5, view.to + span / 5) : step(1), ArrowLeft: () => e.shiftKey ? setView(view.from - span / 5, view.to - span / 5) : step(-1),
    '+': () => zoom(0.5), '=': () => zoom(0.5), '-': () => zoom(2), '0': () => setView(0, endMs), m: toggleFrames, Home: () => go(0), End: () => go(endMs), t: () => $('theme').click(),
    v: () => violations[0] && focusOn(violations[0].atMs, Math.min(endMs, 60))
  }
  if (keys[e.key]) { e.preventDefault(); keys[e.key]() }
})
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readPalette(); draw() })
new ResizeObserver(draw).observe(canvas.parentElement)
readPalette()
// Begin where something happens: at the broken invariant, or at the first election.
const opening = violations[0] ? violations[0].atMs : splits.length ? splits[0].atMs : (marks.find((m) => m.type === 'role' && m.role === 'leader') || { atMs: 0 }).atMs
if (violations[0]) focusOn(opening, Math.min(endMs, 80))
else if (splits.length) {
  // When the answers are in.
  const answers = frames.filter((f) => kinds[f[0]].startsWith('vote-') && f[5] === splits[0].term && f[4] !== null && f[4] < opening + 20).map((f) => f[4])
  setView(opening - 18, opening + 22); go(Math.max(opening + 1e-3, ...answers))
}
else { setView(Math.max(0, opening - 60), Math.min(endMs, opening + 40)); go(opening) }
window.reportReady = { events: story.length, frames: frames.length }
`
