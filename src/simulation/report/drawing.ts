/** The canvas: where lanes, faults and moments lie, and how they are painted with the frames between them. */
export const DRAWING = String.raw`
// ── Geometry ──
const LEFT = 26 + Math.max(30, ...names.map((name) => name.length * 8)), RIGHT = 14, TOP = 30, FAULT_H = 15
const faultRows = []
{
  const ends = []
  for (const f of faults) {
    const until = Math.max(f.untilMs, f.fromMs + endMs / 9)
    let row = ends.findIndex((e) => e <= f.fromMs)
    if (row === -1) row = ends.length
    ends[row] = until
    faultRows.push(Math.min(row, 13))
  }
}
// The one that follows in the same row: as far as a name may reach.
const faultNext = faults.map((f, i) => { const j = faultRows.findIndex((row, k) => k > i && row === faultRows[i]); return j === -1 ? Infinity : faults[j].fromMs })
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
    const room = Math.min(right, x(faultNext[i])) - a - 8
    g.font = '11px system-ui, sans-serif'
    const words = [f.text.replace(/ at \d+ ms.*/, ''), f.short].find((one) => g.measureText(one).width <= room) || cutTo(g, f.short, room)
    g.fillText(words, a + 6, y + (FAULT_H - 3) / 2)
  })
  g.font = '12px system-ui, sans-serif'
  const labels = []
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
      if (roomy) labels.push(() => label(g, s, a, b, y + bar / 2))
    }
    for (const m of configs[node]) {
      if (m.atMs < view.from || m.atMs > view.to) continue
      const px = x(m.atMs)
      g.fillStyle = palette.ink
      if (!roomy) { g.fillRect(px - 1, y, 2, bar); continue }
      g.beginPath(); g.moveTo(px, y - 5); g.lineTo(px + 4, y - 1); g.lineTo(px, y + 3); g.lineTo(px - 4, y - 1); g.fill()
    }
    g.fillStyle = palette.fault
    for (const f of faults) if (f.isVerb && f.nodes.includes(node) && f.fromMs >= view.from && f.fromMs <= view.to) { const px = x(f.fromMs); g.beginPath(); g.moveTo(px - 4, y - 5); g.lineTo(px + 4, y - 5); g.lineTo(px, y + 2); g.fill(); g.fillRect(px - 0.75, y, 1.5, bar) }
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
  for (const write of labels) write()
}
// As much of the words as has room.
const cutTo = (g, words, room) => {
  let length = words.length
  while (length > 0 && g.measureText(words.slice(0, length) + '…').width > room) length--
  return length < 3 ? '' : words.slice(0, length) + '…'
}
// Last, so that no line runs through a word.
const label = (g, s, a, b, y) => {
  const words = s.paused ? 'stands still' : s.role === 'forming' ? 'forming' : s.role + (s.term ? ' · term ' + s.term : '')
  const space = b - a - 12
  if (space <= 26) return
  g.font = '12px system-ui, sans-serif'
  const short = space > g.measureText(words).width ? words : s.term ? 't' + s.term : ''
  if (!short || space <= g.measureText(short).width) return
  g.lineWidth = 3; g.lineJoin = 'round'; g.strokeStyle = palette[s.role] || palette.follower; g.strokeText(short, a + 7, y)
  g.fillStyle = s.role === 'leader' ? palette.card : s.role.endsWith('candidate') ? '#1d1f24' : palette.ink
  g.fillText(short, a + 7, y)
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
`
