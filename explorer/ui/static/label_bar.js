// Label bar: the keys and buttons by which a person labels what the page shows.
// An action names the item that it is for; none is sent before that item has been on the page for GUARD milliseconds.

const GUARD = 500;
const RESEND = 4000;  // milliseconds without an answer after which an action is sent again; each further wait doubles
const state = (window.lemmataLabelBar ??= {
  root: null, data: null, send: null, sent: null, armedAt: Infinity, pending: 0, help: false, draft: { reason: '', passage: null },
});

export default function ({ data, parentElement, setTriggerValue }) {
  const isNew = state.data?.item !== data.item || state.data?.labeler !== data.labeler;
  if (state.data?.nonce !== data.nonce) state.pending = 0;
  Object.assign(state, { root: parentElement, data, send: (action) => setTriggerValue('act', action) });
  build(parentElement);
  if (isNew) open();
  draw();
  if (!window.lemmataLabelKeys) {
    window.lemmataLabelKeys = true;
    window.addEventListener('keydown', onKey, true);
  }
  return () => {
    if (state.root === parentElement) Object.assign(state, { root: null, data: null });
  };
}

const $ = (name) => state.root.querySelector(`[data-part="${name}"]`);
const itemElement = () => document.querySelector('.st-key-labeled-item');

function open() {
  state.armedAt = Infinity;
  state.help = false;
  const saved = JSON.parse(sessionStorage.getItem(draftKey()) ?? 'null');
  const mine = state.data.mine;
  state.draft = saved ?? { reason: mine?.reason ?? '', passage: mine?.passage ?? null };
  $('reason').value = state.draft.reason;
  if (state.data.item) arm(state.data.item);
  mark();
}

// Waits until the page shows the item, goes to its top, and lets keys act after the guard.
function arm(item) {
  if (state.data?.item !== item || !state.root) return;
  if (!isShown(item)) {
    setTimeout(arm, 40, item);
    return;
  }
  document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0);
  document.querySelector('.st-key-pane')?.scrollTo(0, 0);
  state.armedAt = performance.now() + GUARD;
  setTimeout(() => { draw(); mark(); }, GUARD + 20);
}

function isShown(item) {
  const marks = [...document.querySelectorAll('[data-lemmata-item]')];
  return scriptState() === 'notRunning' && marks.length === 1 && marks[0].dataset.lemmataItem === item
    && !marks[0].closest('[data-stale="true"]');
}

const scriptState = () => document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState ?? 'notRunning';
const isArmed = () => !state.pending && (!state.data.item || performance.now() >= state.armedAt);
const draftKey = () => `lemmata:${state.data.run}:${state.data.labeler}:${state.data.item}`;

function act(kind, more = {}) {
  if (!state.data || !isArmed()) return;
  state.root.activeElement?.blur();
  const { item, problem, labeler, subject, nonce } = state.data;
  if (kind === 'label') sessionStorage.removeItem(draftKey());
  state.pending = performance.now();
  state.sent = { kind, item, problem, labeler, subject, nonce, ...more };
  deliver(state.sent);
  draw();
}

// Sends an action until the page answers: one that was lost on the way is not lost, and the explorer acts on it once.
// Not while the page's script runs: it would begin anew each time, and on a busy machine never reach its end.
function deliver(action, wait = RESEND) {
  if (!state.pending || state.sent !== action || !state.root) return;
  if (action.isSent && scriptState() === 'running') {
    setTimeout(deliver, RESEND, action, wait);
    return;
  }
  action.isSent = true;
  state.send(action);
  setTimeout(deliver, wait, action, 2 * wait);
}

function label(score) {
  if (!state.data.item) return;
  act('label', { score, reason: $('reason').value, passage: state.draft.passage });
}

function keep() {
  state.draft.reason = $('reason').value;
  sessionStorage.setItem(draftKey(), JSON.stringify(state.draft));
}

function markPassage() {
  const found = selectedIn(itemElement() ?? document.body);
  state.draft.passage = found;
  keep();
  document.getSelection()?.removeAllRanges();
  mark();
  draw();
}

// Tints the passage of the label.
function mark() {
  if (!window.Highlight || !CSS.highlights) return;
  CSS.highlights.delete('lemmata-label');
  const element = itemElement();
  const passage = state.draft.passage;
  const range = element && passage ? rangeOf(pageLetters(element), passage.text, passage.near) : null;
  if (range) CSS.highlights.set('lemmata-label', new Highlight(range));
}

function onKey(event) {
  if (!state.root || !state.data || !state.root.host?.isConnected) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const score = state.data.scores.find((one) => one.key === key);
  const actions = {
    s: () => act('skip'), u: () => act('undo'), ArrowLeft: () => act('previous'), ArrowRight: () => act('next'),
    '?': () => { state.help = !state.help; draw(); }, Escape: () => { state.help = false; draw(); },
    r: () => $('reason').focus(), m: markPassage,
  };
  const run = score ? () => label(score.score) : actions[key];
  if (!run || (key === 'Escape' && !state.help)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (!event.repeat && (!state.help || key === '?' || key === 'Escape')) run();
}

function isTyping(event) {
  const target = event.composedPath()[0];
  if (!(target instanceof Element)) return false;
  return target.matches('input, textarea, select, [contenteditable]:not([contenteditable="false"]), [role="slider"]');
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function build(root) {
  const bar = root.querySelector('.bar');
  if (bar.childElementCount) return;
  const button = (part, words, run, title) => {
    const made = element('button', { type: 'button', 'data-part': part, title }, words);
    made.addEventListener('click', run);
    return made;
  };
  const reason = element('input', {
    'data-part': 'reason', type: 'text', 'aria-label': 'Reason', placeholder: 'Reason (r); Enter leaves the field',
  });
  reason.addEventListener('input', keep);
  reason.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' || event.key === 'Escape') { keep(); reason.blur(); event.preventDefault(); }
  });
  bar.append(
    element('div', { class: 'row', 'data-part': 'scores' }),
    element('div', { class: 'row' }, reason,
      button('mark', 'Mark passage (m)', markPassage, 'Point at the selected part of the text'),
      element('span', { 'data-part': 'passage' })),
    element('div', { class: 'row small' }, element('span', { 'data-part': 'status', role: 'status' }),
      element('span', { class: 'space' }),
      button('previous', '←', () => act('previous'), 'Previous (left)'),
      button('next', '→', () => act('next'), 'Next (right)'),
      button('skip', 'Skip (s)', () => act('skip'), 'Leave it for later'),
      button('undo', 'Undo (u)', () => act('undo'), 'Withdraw the last label'),
      button('keys', 'Keys (?)', () => { state.help = !state.help; draw(); }, 'Show the keys')),
    element('div', { 'data-part': 'help', role: 'dialog', 'aria-label': 'Keys' }),
  );
}

function draw() {
  if (!state.root || !state.data) return;
  const { data } = state;
  const bar = state.root.querySelector('.bar');
  bar.dataset.item = data.item;
  bar.dataset.armed = String(isArmed());
  drawScores(data);
  $('status').textContent = state.pending ? 'saving …' : data.status;
  $('undo').disabled = !data.can_undo;
  for (const part of ['skip', 'mark', 'reason']) $(part).disabled = !data.item;
  const passage = state.draft.passage;
  $('passage').textContent = passage ? `“${shortened(passage.text)}”` : '';
  $('mark').textContent = passage ? 'Remove passage' : 'Mark passage (m)';
  drawHelp(data);
  if (state.pending) setTimeout(() => {
    if (state.pending && performance.now() - state.pending > 8000 && state.root) {
      $('status').textContent = 'not saved yet: the explorer does not answer; keep this page open, or reload it';
    }
  }, 8100);
}

function drawScores(data) {
  const row = $('scores');
  const shown = data.item ? data.scores.map((one) => one.key + one.words).join() : '';
  if (row.dataset.shown !== shown) {  // only then: a button that is replaced while it is pressed loses the click
    row.dataset.shown = shown;
    row.replaceChildren(...(data.item ? data.scores : []).map((one) => {
      const made = element('button', { type: 'button', class: `score s${one.key}`, 'data-score': one.score },
        element('kbd', {}, one.key), element('b', {}, one.shown), element('span', { class: 'words' }, ` ${one.words}`));
      made.setAttribute('aria-label', `${one.shown}: ${one.words}`);
      made.addEventListener('click', () => label(one.score));
      return made;
    }));
  }
  for (const made of row.children) {
    made.setAttribute('aria-pressed', String(data.mine?.score === Number(made.dataset.score)));
    made.disabled = !isArmed();
  }
}

function drawHelp(data) {
  const help = $('help');
  help.hidden = !state.help;
  const keys = [
    ...data.scores.map((one) => [one.key, `label ${one.shown}: ${one.words}`]), ['s', 'skip: leave it for later'],
    ['u', 'undo: withdraw your last label and open it'], ['← →', 'previous, next (labeled ones too)'],
    ['r', 'type a reason; Enter or leaving the field keeps it'], ['m', 'mark the selected passage'],
    ['?', 'show or hide the keys'],
  ];
  help.replaceChildren(element('dl', {}, ...keys.flatMap(([key, words]) =>
    [element('dt', {}, element('kbd', {}, key)), element('dd', {}, words)])));
}

const shortened = (text) => (text.length > 60 ? `${text.slice(0, 58)}…` : text);
