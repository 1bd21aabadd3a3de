// Changes between two proofs: tints the words and formulas that differ, and jumps between changes with n and p.

const MAX_CELLS = 4e6;  // of the table of one comparison
const changes = (window.lemmataChanges ??= { root: null, observer: null, timer: 0, follower: null });

export default function ({ parentElement }) {
  changes.root = parentElement;
  const bar = parentElement.querySelector('.changes');
  if (!bar.childElementCount) build(bar);
  changes.observer?.disconnect();
  changes.observer = new MutationObserver(() => {
    clearTimeout(changes.timer);
    changes.timer = setTimeout(mark, 150);
  });
  changes.observer.observe(document.querySelector('[data-testid="stMain"]'), { childList: true, subtree: true });
  mark();
  if (!window.lemmataChangesKeys) {
    window.lemmataChangesKeys = true;
    window.addEventListener('keydown', onKey);
    for (const type of ['wheel', 'touchmove', 'pointerdown']) window.addEventListener(type, () => changes.follower?.disconnect());
  }
  return () => {
    if (changes.root !== parentElement) return;
    changes.root = null;
    changes.observer?.disconnect();
    changes.follower?.disconnect();
    for (const name of ['lemmata-minus', 'lemmata-plus']) CSS.highlights?.delete(name);
  };
}

function build(bar) {
  const button = (words, step) => {
    const made = document.createElement('button');
    made.type = 'button';
    made.textContent = words;
    made.addEventListener('click', () => jump(step));
    return made;
  };
  const count = document.createElement('span');
  count.className = 'count';
  count.setAttribute('role', 'status');
  bar.append(count, button('↑ previous (p)', -1), button('↓ next (n)', 1));
}

const places = () => [...document.querySelectorAll('[class*="st-key-change-"]')];

function mark() {
  if (!changes.root) return;
  const all = places();
  const words = `${all.length} ${all.length === 1 ? 'change' : 'changes'}`;
  const count = changes.root.querySelector('.count');
  if (count && !count.dataset.at) count.textContent = words;
  const minus = [], plus = [];
  for (const place of all) {
    const [old, next] = ['before', 'after'].map((side) => place.querySelector(`[class*="st-key-text-${side}-"]`));
    const [left, right] = differing(old ? tokens(old) : [], next ? tokens(next) : []);
    minus.push(...left);
    plus.push(...right);
  }
  if (!window.Highlight || !CSS.highlights) return;
  CSS.highlights.set('lemmata-minus', new Highlight(...minus));
  CSS.highlights.set('lemmata-plus', new Highlight(...plus));
}

// Words and formulas of an element, each with its range.
function tokens(root) {
  const found = [];
  for (const piece of pieces(root)) {
    const range = new Range();
    if (piece.isTex) {
      range.selectNode(piece.node);
      found.push({ key: `$${piece.text.replace(/\s+/g, '')}`, range });
      continue;
    }
    for (const word of piece.text.matchAll(/\S+/g)) {
      const part = new Range();
      part.setStart(piece.node, word.index);
      part.setEnd(piece.node, word.index + word[0].length);
      found.push({ key: word[0], range: part });
    }
  }
  return found;
}

// Ranges of the tokens of both sides that are not part of their longest common subsequence.
function differing(left, right) {
  const ranges = (side) => side.map((token) => token.range);
  if (!left.length || !right.length || left.length * right.length > MAX_CELLS) return [ranges(left), ranges(right)];
  const width = right.length + 1, best = new Uint32Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      best[i * width + j] = left[i].key === right[j].key
        ? best[(i + 1) * width + j + 1] + 1 : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    }
  }
  const minus = [], plus = [];
  let i = 0, j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i].key === right[j].key) { i++; j++; }
    else if (j === right.length || (i < left.length && best[(i + 1) * width + j] >= best[i * width + j + 1])) {
      minus.push(left[i++].range);
    } else { plus.push(right[j++].range); }
  }
  return [minus, plus];
}

function jump(step) {
  const all = places();
  if (!all.length) return;
  const count = changes.root.querySelector('.count');
  const at = Math.min(Math.max((Number(count.dataset.at) || (step > 0 ? 0 : 2)) + step, 1), all.length);
  count.dataset.at = at;
  count.textContent = `change ${at} of ${all.length}`;
  for (const place of all) delete place.dataset.lemmataHere;
  all[at - 1].dataset.lemmataHere = 'true';
  follow(all[at - 1]);
}

// Formulas that are set after a jump move its place: it is scrolled to again until the reader scrolls.
function follow(place) {
  changes.follower?.disconnect();
  changes.follower = new ResizeObserver(() => place.scrollIntoView({ block: 'center' }));
  changes.follower.observe(document.querySelector('[data-testid="stMainBlockContainer"]'));
}

function onKey(event) {
  if (!changes.root?.host?.isConnected || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const target = event.composedPath()[0];
  if (target instanceof Element && target.matches('input, textarea, select, [contenteditable]')) return;
  const step = { n: 1, p: -1 }[event.key.toLowerCase()];
  if (!step) return;
  event.preventDefault();
  jump(step);
}
