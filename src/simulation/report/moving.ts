/** Through time and over machines: buttons, keys, wheel and pointer; and where the page begins. */
export const MOVING = String.raw`
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
if ($('jump')) $('jump').onclick = () => focusOn(wrong.atMs, Math.min(endMs, 60))

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
    v: () => wrong && focusOn(wrong.atMs, Math.min(endMs, 60))
  }
  if (keys[e.key]) { e.preventDefault(); keys[e.key]() }
})
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readPalette(); draw() })
new ResizeObserver(draw).observe(canvas.parentElement)
readPalette()
// Begin where something went wrong, or at a vote that was split; otherwise with the whole run, at the first leader.
const opening = wrong ? wrong.atMs : splits.length ? splits[0].atMs : (marks.find((m) => m.type === 'role' && m.role === 'leader') || { atMs: 0 }).atMs
if (wrong) focusOn(opening, Math.min(endMs, violations[0] ? 80 : 400))
else if (splits.length) {
  // When the answers are in.
  const answers = frames.filter((f) => kinds[f[0]].startsWith('vote-') && f[5] === splits[0].term && f[4] !== null && f[4] < opening + 20).map((f) => f[4])
  setView(opening - 18, opening + 22); go(Math.max(opening + 1e-3, ...answers))
}
else { setView(0, endMs); go(opening) }
window.reportReady = { events: story.length, frames: frames.length }
`
